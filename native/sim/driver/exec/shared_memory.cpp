#include "shared_memory.h"

#include <bit>
#include <cstring>

namespace grsim {
namespace {

constexpr uint64_t kManyWarps = 1ull << 15, kManyLanes = 1ull << 14, kAtomic = 1ull << 13, kPending = ~0ull;
constexpr int Lane(uint64_t tag) { return static_cast<int>(tag >> 1 & 63); }
constexpr int WarpOf(uint64_t tag) { return static_cast<int>(tag >> 7 & 63); }
constexpr uint32_t Epoch(uint64_t tag) { return static_cast<uint32_t>(tag >> 32); }
constexpr uint16_t WarpEpoch(uint64_t tag) { return static_cast<uint16_t>(tag >> 16); }

}  // namespace

void SharedMemory::Reset(uint32_t bytes, uint32_t grain, bool check_races) {
  bytes_ = bytes;
  shift_ = static_cast<uint32_t>(std::countr_zero(grain));
  check_races_ = check_races;
  data_.assign(bytes + 16, 0xFF);  // whatever slips through reads as no number
  granules_.assign((bytes >> shift_) + 1, {});
}

bool SharedMemory::Conflicts(uint64_t tag, const Access& access) {
  if (Epoch(tag) != access.epoch || (access.atomic && (tag & kAtomic) != 0)) return false;
  if ((tag & kManyWarps) != 0 || WarpOf(tag) != access.warp) return true;
  return WarpEpoch(tag) == access.warp_epoch && ((tag & kManyLanes) != 0 || Lane(tag) != access.lane);
}

void SharedMemory::Check(uint32_t address, uint32_t bytes) const {
  if (address > bytes_ || bytes > bytes_ - address)
    throw Trap{kIllegalAddress, std::to_string(bytes) + " bytes at shared address " + std::to_string(address) + " of " + std::to_string(bytes_)};
  if ((address & (bytes - 1)) != 0) throw Trap{kMisaligned, std::to_string(bytes) + " bytes at shared address " + std::to_string(address)};
}

void SharedMemory::Refuse(const Granule& granule, uint32_t address, const Access& access, const char* how) const {
  const uint64_t other = Conflicts(granule.writer, access) ? granule.writer : granule.reader;
  throw Trap{kLaunchFailed, std::string("shared memory race: ") + how + " by warp " + std::to_string(access.warp) + " lane " + std::to_string(access.lane) + " at " + std::to_string(address) +
                                ", with no barrier since " + ((other & kManyWarps) != 0 ? std::string("several warps'") : "warp " + std::to_string(WarpOf(other)) + " lane " + std::to_string(Lane(other)) + "'s") +
                                (other == granule.writer ? " write" : " read")};
}

const uint8_t* SharedMemory::ReadChecked(uint32_t address, uint32_t bytes, const Access& access) {
  Check(address, bytes);
  const uint64_t tag = Tag(access);
  for (uint32_t g = address >> shift_, end = (address + bytes - 1) >> shift_; g <= end; ++g) {
    Granule& granule = granules_[g];
    if (granule.writer == 0) throw Trap{kLaunchFailed, "shared memory at " + std::to_string(address) + " is read and was never written"};
    if (granule.writer == kPending) throw Trap{kLaunchFailed, "shared memory at " + std::to_string(address) + " is read while an asynchronous copy is not waited for"};
    if (!check_races_) continue;
    if (Conflicts(granule.writer, access)) Refuse(granule, address, access, "read");
    const uint64_t reader = granule.reader;
    if (reader == tag) continue;
    // Several readers count as atomic only where all are.
    const uint64_t merged = access.atomic ? reader : reader & ~kAtomic;
    if (Epoch(reader) != access.epoch) granule.reader = tag;
    else if ((reader & kManyWarps) != 0) granule.reader = merged;
    else if (WarpOf(reader) != access.warp) granule.reader = merged | kManyWarps;
    else if (WarpEpoch(reader) != access.warp_epoch) granule.reader = tag;
    else granule.reader = merged | kManyLanes;
  }
  return &data_[address];
}

uint8_t* SharedMemory::Write(uint32_t address, uint32_t bytes, const Access& access) {
  Check(address, bytes);
  const uint64_t tag = Tag(access);
  for (uint32_t g = address >> shift_, end = (address + bytes - 1) >> shift_; g <= end; ++g) {
    Granule& granule = granules_[g];
    if (granule.writer == kPending) throw Trap{kLaunchFailed, "shared memory at " + std::to_string(address) + " is written while an asynchronous copy is not waited for"};
    if (check_races_ && (Conflicts(granule.writer, access) || Conflicts(granule.reader, access))) Refuse(granule, address, access, "write");
    granule.writer = tag;
  }
  return &data_[address];
}

uint8_t* SharedMemory::Update(uint32_t address, uint32_t bytes, Access access) {
  access.atomic = true;
  Read(address, bytes, access);
  return Write(address, bytes, access);
}

void SharedMemory::BeginCopy(uint32_t address, uint32_t bytes, const Access& access) {
  std::memset(Write(address, bytes, access), 0xFF, bytes);
  for (uint32_t g = address >> shift_, end = (address + bytes - 1) >> shift_; g <= end; ++g) granules_[g].writer = kPending;
}

uint8_t* SharedMemory::EndCopy(uint32_t address, uint32_t bytes, const Access& access) {
  for (uint32_t g = address >> shift_, end = (address + bytes - 1) >> shift_; g <= end; ++g) granules_[g].writer = Tag(access);
  return &data_[address];
}

}  // namespace grsim
