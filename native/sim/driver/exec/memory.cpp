// ld and st in every space.
#include "handlers.h"

namespace grsim {
namespace {

template <class T>
uint64_t Widen(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::is_signed_v<T>) return static_cast<uint64_t>(static_cast<int64_t>(value));
  else return value;
}

/// The bytes that a lane's address names. mode: Space; offset2 1: an ordered access, which races with no other such.
template <bool Writes>
uint8_t* Resolve(Warp& warp, const Ins& in, uint32_t lane, uint32_t bytes) {
  uint64_t address = (in.a & 1) != 0 ? warp.Row<uint32_t>(in.a & ~1u)[lane] : warp.Row<uint64_t>(in.a)[lane];
  address += static_cast<uint64_t>(in.offset);
  auto space = static_cast<Space>(in.mode);
  if (space == Space::Generic) {
    const uint64_t window = address & kWindowMask;
    space = window == kSharedWindow ? Space::Shared : window == kLocalWindow ? Space::Local : Space::Global;
    if (space != Space::Global) address -= window;
  }
  if (space == Space::Shared) {
    Access access = warp.AccessOf(lane);
    access.atomic = in.offset2 != 0;
    SharedMemory& shared = warp.block->shared();
    if (address > 0xFFFFFFFFu) throw Trap{kIllegalAddress, "shared address " + Block::Hex(address)};
    return Writes ? shared.Write(static_cast<uint32_t>(address), bytes, access) : const_cast<uint8_t*>(shared.Read(static_cast<uint32_t>(address), bytes, access));
  }
  if (space == Space::Local) return warp.block->Local(warp, lane, address, bytes);
  warp.block->stats().global_bytes += bytes;
  return warp.block->Global(address, bytes);
}

/// d or list: the registers, of one width; c: bytes of a register.
template <class T>
void Load(Warp& warp, const Ins& in, uint32_t mask) {
  const uint32_t* rows = &warp.block->program().lists[in.list];
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    const uint8_t* from = Resolve<false>(warp, in, lane, sizeof(T) * in.count);
    for (uint32_t i = 0; i < in.count; ++i) {
      const uint64_t value = Widen<T>(from + i * sizeof(T));
      if (in.c == 8) warp.Row<uint64_t>(rows[i])[lane] = value;
      else warp.Row<uint32_t>(rows[i])[lane] = static_cast<uint32_t>(value);
    }
  }
}

/// The same where the space is known to be shared memory, which is where kernels spend their time.
template <class T, class Register>
void LoadShared(Warp& warp, const Ins& in, uint32_t mask) {
  const uint32_t* rows = &warp.block->program().lists[in.list];
  SharedMemory& shared = warp.block->shared();
  Access access = warp.AccessOf(0);
  access.atomic = in.offset2 != 0;
  const auto* narrow = (in.a & 1) != 0 ? warp.Row<uint32_t>(in.a & ~1u) : nullptr;
  const auto* wide = narrow != nullptr ? nullptr : warp.Row<uint64_t>(in.a);
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    const uint64_t address = (narrow != nullptr ? narrow[lane] : wide[lane]) + static_cast<uint64_t>(in.offset);
    if (address > 0xFFFFFFFFu) throw Trap{kIllegalAddress, "shared address " + Block::Hex(address)};
    access.lane = static_cast<uint8_t>(lane);
    const uint8_t* from = shared.Read(static_cast<uint32_t>(address), sizeof(T) * in.count, access);
    for (uint32_t i = 0; i < in.count; ++i) warp.Row<Register>(rows[i])[lane] = static_cast<Register>(Widen<T>(from + i * sizeof(T)));
  }
}

template <class T>
void Store(Warp& warp, const Ins& in, uint32_t mask) {
  const uint32_t* rows = &warp.block->program().lists[in.list];
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    uint8_t* to = Resolve<true>(warp, in, lane, sizeof(T) * in.count);
    for (uint32_t i = 0; i < in.count; ++i) {
      const T value = static_cast<T>(in.c == 8 ? warp.Row<uint64_t>(rows[i])[lane] : warp.Row<uint32_t>(rows[i])[lane]);
      std::memcpy(to + i * sizeof(T), &value, sizeof value);
    }
  }
}

/// A parameter is the same for all lanes, unless its address is computed.
template <class T>
void LoadParameter(Warp& warp, const Ins& in, uint32_t mask) {
  const uint32_t* rows = &warp.block->program().lists[in.list];
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    const uint64_t address = warp.Row<uint64_t>(in.a)[lane] + static_cast<uint64_t>(in.offset);
    const uint64_t bytes = sizeof(T) * in.count, size = warp.block->program().parameter_bytes;
    if (address > size || bytes > size - address) throw Trap{kIllegalAddress, "parameter address " + std::to_string(address)};
    const uint8_t* from = warp.block->Parameters() + address;
    for (uint32_t i = 0; i < in.count; ++i) {
      const uint64_t value = Widen<T>(from + i * sizeof(T));
      if (in.c == 8) warp.Row<uint64_t>(rows[i])[lane] = value;
      else warp.Row<uint32_t>(rows[i])[lane] = static_cast<uint32_t>(value);
    }
  }
}

template <class T>
Handler Pick(bool load, bool parameter) { return parameter ? &LoadParameter<T> : load ? &Load<T> : &Store<std::make_unsigned_t<T>>; }

Handler PickBySize(Type type, bool load, bool parameter) {
  const bool sign = IsSigned(type);
  switch (SizeOf(type)) {
    case 1: return sign ? Pick<int8_t>(load, parameter) : Pick<uint8_t>(load, parameter);
    case 2: return sign ? Pick<int16_t>(load, parameter) : Pick<uint16_t>(load, parameter);
    case 4: return sign ? Pick<int32_t>(load, parameter) : Pick<uint32_t>(load, parameter);
    default: return Pick<uint64_t>(load, parameter);
  }
}

}  // namespace

bool DecodeMemory(Decoder& decoder, const Statement& s, Ins& in) {
  const bool load = s.words[0] == "ld" || s.words[0] == "ldu";
  if (!load && s.words[0] != "st") return false;
  Decoder::Words(s, "global shared param local const nc v2 v4 volatile relaxed acquire release cta gpu sys weak ca cg cs lu cv wb wt L1::no_allocate");
  Decoder::Count(s, 2);
  const Type type = LastType(s);
  const Space space = s.Has("global") || s.Has("const") ? Space::Global : s.Has("shared") ? Space::Shared : s.Has("param") ? Space::Param : s.Has("local") ? Space::Local : Space::Generic;
  if (space == Space::Param && !load) Decoder::Unknown(s);
  decoder.Address(s, s.operands[load ? 1 : 0], in.a, in.offset);
  if ((in.a & 1) != 0 && space != Space::Shared && space != Space::Local) throw PtxError(s.line, "an address of 32 bits in '" + s.text + "'");
  in.mode = static_cast<uint32_t>(space);
  in.offset2 = s.Has("volatile") || s.Has("relaxed") || s.Has("acquire") || s.Has("release") ? 1 : 0;
  in.count = s.Has("v4") ? 4 : s.Has("v2") ? 2 : 1;
  const Operand& data = s.operands[load ? 0 : 1];
  const std::vector<Operand>& items = in.count > 1 ? Decoder::Items(s, load ? 0 : 1, in.count) : std::vector<Operand>{data.kind == Operand::Kind::Vector && data.items.size() == 1 ? data.items[0] : data};
  in.c = SizeOf(type) == 8 || decoder.IsWide(items[0]) ? 8 : 4;
  std::vector<uint32_t> rows;
  for (const Operand& item : items) {
    if (load && item.name != "_" && decoder.IsWide(item) != (in.c == 8)) throw PtxError(s.line, "registers of different widths in '" + s.text + "'");
    rows.push_back(load ? decoder.Target(s, item) : decoder.Source(s, item, in.c == 8 ? Type::B64 : Type::B32));
  }
  in.list = decoder.List(rows);
  in.run = PickBySize(type, load, space == Space::Param);
  if (load && space == Space::Shared && SizeOf(type) == 4 && in.c == 4) in.run = &LoadShared<uint32_t, uint32_t>;
  if (space == Space::Shared || space == Space::Generic) decoder.SharedAccess(static_cast<uint32_t>(SizeOf(type)) * in.count);
  return true;
}

}  // namespace grsim
