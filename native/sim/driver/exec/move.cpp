// mov, with packing and unpacking of registers, and cvta.
#include "handlers.h"

namespace grsim {
namespace {

template <class T> constexpr auto kCopy = [](T a) { return a; };

/// list: parts of mode bytes each, the lowest first, into one register.
template <class T>
void Pack(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<T>(in.d);
  const uint32_t* parts = &warp.block->program().lists[in.list];
  ForLanes(mask, [&](uint32_t lane) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < in.count; ++i) {
      const uint64_t part = warp.Row<uint32_t>(parts[i])[lane];
      value |= (in.mode == 4 ? part : part & ((1ull << (8 * in.mode)) - 1)) << (8 * in.mode * i);
    }
    d[lane] = static_cast<T>(value);
  });
}

template <class T>
void Unpack(Warp& warp, const Ins& in, uint32_t mask) {
  const auto* a = warp.Row<T>(in.a);
  const uint32_t* parts = &warp.block->program().lists[in.list];
  ForLanes(mask, [&](uint32_t lane) {
    const uint64_t value = a[lane];
    for (uint32_t i = 0; i < in.count; ++i)
      warp.Row<uint32_t>(parts[i])[lane] = static_cast<uint32_t>(in.mode == 4 ? value >> (32 * i) : value >> (8 * in.mode * i) & ((1ull << (8 * in.mode)) - 1));
  });
}

void PredicateConstant(Warp& warp, const Ins& in, uint32_t mask) { warp.predicates[in.d] = (warp.predicates[in.d] & ~mask) | (in.mode & mask); }

void PredicateCopy(Warp& warp, const Ins& in, uint32_t mask) { warp.predicates[in.d] = (warp.predicates[in.d] & ~mask) | (warp.Predicate(in.a) & mask); }

/// Adds to an address: a window's start, or its negative.
void Shift(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<uint64_t>(in.d);
  const auto* a = warp.Row<uint64_t>(in.a);
  ForLanes(mask, [&](uint32_t lane) { d[lane] = a[lane] + static_cast<uint64_t>(in.offset); });
}

}  // namespace

bool DecodeMove(Decoder& decoder, const Statement& s, Ins& in) {
  const Type type = LastType(s);
  const bool wide = SizeOf(type) == 8;
  if (s.words[0] == "cvta") {
    Decoder::Words(s, "to global shared local const param");
    Decoder::Count(s, 2);
    if (!wide || s.Has("param")) Decoder::Unknown(s);
    in.run = &Shift;
    in.d = decoder.Target(s, 0);
    in.a = decoder.Source(s, 1, Type::U64);
    const uint64_t window = s.Has("shared") ? kSharedWindow : s.Has("local") ? kLocalWindow : 0;
    in.offset = static_cast<int64_t>(s.Has("to") ? 0 - window : window);
    return true;
  }
  if (s.words[0] != "mov") return false;
  Decoder::Words(s, "");
  Decoder::Count(s, 2);
  const Operand &target = s.operands[0], &source = s.operands[1];
  if (type == Type::Pred) {
    in.d = decoder.Predicate(s, target);
    in.run = source.kind == Operand::Kind::Integer ? &PredicateConstant : &PredicateCopy;
    if (source.kind == Operand::Kind::Integer) in.mode = source.value != 0 ? kNone : 0;
    else in.a = decoder.Predicate(s, source);
    return true;
  }
  const bool unpack = target.kind == Operand::Kind::Vector;
  if (unpack || source.kind == Operand::Kind::Vector) {
    const auto& items = unpack ? target.items : source.items;
    if (items.empty() || items.size() > 8) Decoder::Unknown(s);
    in.mode = static_cast<uint32_t>(SizeOf(type) / static_cast<int>(items.size()));
    std::vector<uint32_t> rows;
    for (const Operand& item : items) rows.push_back(unpack ? decoder.Target(s, item) : decoder.Source(s, item, Type::B32));
    in.count = static_cast<uint32_t>(rows.size());
    in.list = decoder.List(rows);
    if (unpack) {
      in.a = decoder.Source(s, source, type);
      in.run = wide ? &Unpack<uint64_t> : &Unpack<uint32_t>;
    } else {
      in.d = decoder.Target(s, target);
      in.run = wide ? &Pack<uint64_t> : &Pack<uint32_t>;
    }
    return true;
  }
  in.run = wide ? &Unary<uint64_t, uint64_t, kCopy<uint64_t>> : &Unary<uint32_t, uint32_t, kCopy<uint32_t>>;
  in.d = decoder.Target(s, target);
  in.a = decoder.Source(s, source, type);
  return true;
}

}  // namespace grsim
