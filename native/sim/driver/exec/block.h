// One thread block and its warps.
#pragma once
#include <bit>
#include <cstring>
#include <type_traits>

#include "launch.h"
#include "shared_memory.h"

namespace grsim {

class Block;

// Generic addresses of a block's shared memory and of a thread's local memory. Device memory lies elsewhere.
constexpr uint64_t kSharedWindow = 0x7f00'0000'0000'0000ull, kLocalWindow = 0x7e00'0000'0000'0000ull, kWindowMask = 0xff00'0000'0000'0000ull;

/// 32 threads. Lanes with the same next instruction run together; the group that is furthest behind runs first, so that what has
/// diverged meets again. Masks: bit i is lane i.
struct Warp {
  enum class State : uint8_t { Ready, AtBarrier, Done };

  Block* block = nullptr;
  uint8_t* registers = nullptr;        // [Program::register_bytes]
  std::vector<uint32_t> predicates;    // bit i: lane i's
  uint32_t pc[32] = {};                // of lanes that are not in the running group
  uint32_t alive = 0, waiting = 0;     // waiting: at a Converge instruction or a barrier
  uint8_t number = 0;
  uint16_t epoch = 0;                  // warp barriers passed
  State state = State::Ready;
  const Ins* current = nullptr;        // for the text of a trap
  uint32_t group = 0, next_pc = 0;     // the running group, and where it goes

  template <class T>
  T* Row(uint32_t offset) const { return reinterpret_cast<T*>(registers + offset); }
  uint32_t Predicate(uint32_t number_) const { return predicates[number_]; }

  Access AccessOf(uint32_t lane) const;
};

class Block {
 public:
  explicit Block(const Launch& launch);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// @throws Trap
  void Run(uint64_t index);

  const Launch& launch() const { return launch_; }
  const Program& program() const { return *launch_.program; }
  SharedMemory& shared() { return shared_; }
  LaunchStats& stats() { return stats_; }
  uint32_t epoch() const { return epoch_; }

  /// The bytes of device memory. @throws Trap where they are not all of one allocation, or misaligned
  uint8_t* Global(uint64_t address, uint32_t bytes) {
    if (address < cached_.begin || address >= cached_.end || cached_.end - address < bytes) Locate(address, bytes);
    if ((address & (bytes - 1)) != 0) throw Trap{kMisaligned, std::to_string(bytes) + " bytes at device address " + Hex(address)};
    return reinterpret_cast<uint8_t*>(address);
  }

  uint8_t* Local(const Warp& warp, uint32_t lane, uint64_t address, uint32_t bytes);
  uint8_t* Parameters() { return parameters_.data(); }

  // --- cp.async: a copy lands when the lane that began it waits for its group.
  void BeginCopy(const Warp& warp, uint32_t lane, uint32_t destination, uint64_t source, uint32_t bytes, uint32_t source_bytes);
  void CommitCopies(const Warp& warp, uint32_t lane) { ++copies_[warp.number * 32 + lane].groups; }
  void WaitCopies(const Warp& warp, uint32_t lane, uint32_t groups_left, bool all);

  static std::string Hex(uint64_t value);

 private:
  struct Copy { uint32_t destination, bytes, source_bytes, group; uint64_t source; };
  struct Copies { uint32_t groups = 0; std::vector<Copy> pending; };

  void Begin(uint64_t index);
  bool RunWarp(Warp& warp);
  bool PickGroup(Warp& warp, uint32_t& limit);
  void Release(Warp& warp, uint32_t mask);
  void Exit(Warp& warp, uint32_t mask);
  void ArriveAtBarrier(Warp& warp);
  bool OpenBarrier();
  uint32_t ConvergeMask(const Warp& warp, const Ins& in, uint32_t lanes) const;
  void Locate(uint64_t address, uint32_t bytes);
  [[noreturn]] void Deadlock();

  const Launch& launch_;
  SharedMemory shared_;
  LaunchStats stats_;
  std::vector<Warp> warps_;
  std::vector<uint8_t> register_file_, local_, parameters_;
  std::vector<Copies> copies_;
  MemoryMap::Range cached_;
  uint32_t threads_ = 0, epoch_ = 1;
  uint64_t random_ = 1;
};

inline Access Warp::AccessOf(uint32_t lane) const { return {block->epoch(), epoch, number, static_cast<uint8_t>(lane)}; }

/// Does something for every lane of a mask; the whole warp is a loop that the compiler turns into vectors.
template <class F>
inline void ForLanes(uint32_t mask, F&& body) {
  if (mask == kNone) {
#pragma GCC ivdep
    for (uint32_t lane = 0; lane < 32; ++lane) body(lane);
  } else {
    for (uint32_t left = mask; left != 0; left &= left - 1) body(static_cast<uint32_t>(std::countr_zero(left)));
  }
}

/// How a value of a type lies in a row: 8 bytes where it needs them, 4 otherwise, the upper ones not read.
template <class T>
using Cell = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
inline T FromCell(Cell<T> cell) {
  if constexpr (sizeof(T) >= 4) return std::bit_cast<T>(cell);
  else if constexpr (sizeof(T) == 2) return std::bit_cast<T>(static_cast<uint16_t>(cell));
  else return std::bit_cast<T>(static_cast<uint8_t>(cell));
}

template <class T>
inline Cell<T> ToCell(T value) {
  if constexpr (sizeof(T) >= 4) return std::bit_cast<Cell<T>>(value);
  else if constexpr (sizeof(T) == 2) return std::bit_cast<uint16_t>(value);
  else return std::bit_cast<uint8_t>(value);
}

}  // namespace grsim
