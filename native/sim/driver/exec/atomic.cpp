// atom and red, in device and shared memory.
#include <atomic>

#include "handlers.h"

namespace grsim {
namespace {

enum Operation : uint32_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kExch, kCas, kInc, kDec, kOperations };
constexpr const char* kNames[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};

template <class T>
T Apply(uint32_t operation, T old, T b, T c) {
  switch (operation) {
    case kAdd:
      if constexpr (std::is_floating_point_v<T>) return old + b;
      else return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) + static_cast<std::make_unsigned_t<T>>(b));
    case kMin: return b < old ? b : old;
    case kMax: return b > old ? b : old;
    case kExch: return b;
    case kCas: return std::bit_cast<Cell<T>>(old) == std::bit_cast<Cell<T>>(b) ? c : old;
    default: break;
  }
  if constexpr (!std::is_floating_point_v<T>) {
    switch (operation) {
      case kAnd: return static_cast<T>(old & b);
      case kOr: return static_cast<T>(old | b);
      case kXor: return static_cast<T>(old ^ b);
      case kInc: return old >= b ? T{0} : static_cast<T>(old + 1);
      case kDec: return old == 0 || old > b ? b : static_cast<T>(old - 1);
      default: break;
    }
  }
  return old;
}

/// mode: operation; e: Space; count 1: the old value is kept. Blocks run on several threads, so device memory is updated atomically.
template <class T>
void Atomic(Warp& warp, const Ins& in, uint32_t mask) {
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    uint64_t address = ((in.a & 1) != 0 ? warp.Row<uint32_t>(in.a & ~1u)[lane] : warp.Row<uint64_t>(in.a)[lane]) + static_cast<uint64_t>(in.offset);
    auto space = static_cast<Space>(in.e);
    if (space == Space::Generic) {
      space = (address & kWindowMask) == kSharedWindow ? Space::Shared : Space::Global;
      if (space == Space::Shared) address -= kSharedWindow;
    }
    uint8_t* at = space == Space::Shared ? warp.block->shared().Update(static_cast<uint32_t>(address), sizeof(T), warp.AccessOf(lane)) : warp.block->Global(address, sizeof(T));
    const T b = FromCell<T>(warp.Row<Cell<T>>(in.b)[lane]), c = FromCell<T>(warp.Row<Cell<T>>(in.c != 0 ? in.c : in.b)[lane]);
    std::atomic_ref<Cell<T>> cell(*reinterpret_cast<Cell<T>*>(at));
    Cell<T> seen = cell.load();
    while (!cell.compare_exchange_weak(seen, ToCell<T>(Apply<T>(in.mode, FromCell<T>(seen), b, c)))) {
    }
    if (in.count != 0) warp.Row<Cell<T>>(in.d)[lane] = seen;
  }
}

}  // namespace

bool DecodeAtomic(Decoder& decoder, const Statement& s, Ins& in) {
  const bool result = s.words[0] == "atom";
  if (!result && s.words[0] != "red") return false;
  Decoder::Words(s, "global shared relaxed acquire release acq_rel gpu cta sys add min max and or xor exch cas inc dec");
  in.mode = kOperations;
  for (uint32_t i = 0; i < kOperations; ++i)
    if (s.Has(kNames[i])) in.mode = i;
  if (in.mode == kOperations) Decoder::Unknown(s);
  const size_t first = result ? 1 : 0;
  Decoder::Count(s, first + (in.mode == kCas ? 3 : 2));
  const Type type = LastType(s);
  switch (type) {
    case Type::B32: case Type::U32: in.run = &Atomic<uint32_t>; break;
    case Type::S32: in.run = &Atomic<int32_t>; break;
    case Type::B64: case Type::U64: in.run = &Atomic<uint64_t>; break;
    case Type::S64: in.run = &Atomic<int64_t>; break;
    case Type::F32: in.run = &Atomic<float>; break;
    case Type::F64: in.run = &Atomic<double>; break;
    default: Decoder::Unknown(s);
  }
  in.e = static_cast<uint32_t>(s.Has("global") ? Space::Global : s.Has("shared") ? Space::Shared : Space::Generic);
  in.count = result ? 1 : 0;
  if (result) in.d = decoder.Target(s, 0);
  decoder.Address(s, s.operands[first], in.a, in.offset);
  in.b = decoder.Source(s, first + 1, type);
  if (in.mode == kCas) in.c = decoder.Source(s, first + 2, type);
  if (static_cast<Space>(in.e) != Space::Global) decoder.SharedAccess(static_cast<uint32_t>(SizeOf(type)));
  return true;
}

}  // namespace grsim
