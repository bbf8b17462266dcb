// A block's shared memory with what every granule of it has seen: written or not, by whom, and who has read it since.
#pragma once
#include <cstdint>
#include <vector>

#include "trap.h"

namespace grsim {

/// Who accesses, and when. Two accesses are in order where a block barrier lies between them, where they are one lane's, or where they
/// are one warp's with a warp barrier between them.
struct Access {
  uint32_t epoch;       // block barriers passed; from 1
  uint16_t warp_epoch;  // warp barriers passed
  uint8_t warp, lane;
  bool atomic = false;
};

class SharedMemory {
 public:
  void Reset(uint32_t bytes, uint32_t grain, bool check_races);

  uint32_t bytes() const { return bytes_; }

  /// @throws Trap out of bounds, misaligned, never written, or in a race
  const uint8_t* Read(uint32_t address, uint32_t bytes, const Access& access) {
    // What nearly every access is: in bounds, written before the last barrier, and so read by nobody else in a way that matters.
    if (address <= bytes_ && bytes <= bytes_ - address && (address & (bytes - 1)) == 0) {
      const uint64_t tag = Tag(access);
      uint32_t g = address >> shift_;
      const uint32_t end = (address + bytes - 1) >> shift_;
      for (; g <= end; ++g) {
        Granule& granule = granules_[g];
        if (granule.writer == 0 || static_cast<uint32_t>(granule.writer >> 32) >= access.epoch) break;
        if (granule.reader == tag) continue;
        if (static_cast<uint32_t>(granule.reader >> 32) == access.epoch) break;
        granule.reader = tag;
      }
      if (g > end) return &data_[address];
    }
    return ReadChecked(address, bytes, access);
  }
  uint8_t* Write(uint32_t address, uint32_t bytes, const Access& access);
  uint8_t* Update(uint32_t address, uint32_t bytes, Access access);

  /// An asynchronous copy has begun: nobody may read or write here before the copying lane has waited for it.
  void BeginCopy(uint32_t address, uint32_t bytes, const Access& access);
  uint8_t* EndCopy(uint32_t address, uint32_t bytes, const Access& access);

 private:
  /// Of the last writer and of the readers since. Zero: none in this block.
  struct Granule { uint64_t writer, reader; };

  /// epoch 32 bits | warp epoch 16 | several warps 1 | several lanes 1 | atomic 1 | warp 6 | lane 6 | 1
  static uint64_t Tag(const Access& access) {
    return uint64_t{access.epoch} << 32 | uint64_t{access.warp_epoch} << 16 | uint64_t{access.atomic} << 13 | uint64_t{access.warp} << 7 | uint64_t{access.lane} << 1 | 1;
  }
  const uint8_t* ReadChecked(uint32_t address, uint32_t bytes, const Access& access);
  static bool Conflicts(uint64_t tag, const Access& access);
  void Check(uint32_t address, uint32_t bytes) const;
  [[noreturn]] void Refuse(const Granule& granule, uint32_t address, const Access& access, const char* how) const;

  std::vector<uint8_t> data_;
  std::vector<Granule> granules_;
  uint32_t bytes_ = 0, shift_ = 0;
  bool check_races_ = true;
};

}  // namespace grsim
