// setp and selp. Predicates are masks of lanes.
#include <cmath>

#include "handlers.h"

namespace grsim {
namespace {

enum Comparison : uint32_t { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu, kNum, kNan, kComparisons };

constexpr const char* kNames[] = {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

template <class T, uint32_t C>
bool Compare(T a, T b) {
  if constexpr (C >= kEqu && C <= kGeu)
    if (a != a || b != b) return true;
  switch (C) {
    case kEq: case kEqu: return a == b;
    case kNe: return a == a && b == b && a != b;
    case kNeu: return a != b;
    case kLt: case kLtu: return a < b;
    case kLe: case kLeu: return a <= b;
    case kGt: case kGtu: return a > b;
    case kGe: case kGeu: return a >= b;
    case kNum: return a == a && b == b;
    default: return a != a || b != b;
  }
}

/// mode: 0 alone, 1 and, 2 or, 3 xor with predicate c; offset: c is negated; e: where !result goes too.
template <class T, uint32_t C>
void Setp(Warp& warp, const Ins& in, uint32_t mask) {
  const auto *a = warp.Row<Cell<T>>(in.a), *b = warp.Row<Cell<T>>(in.b);
  uint32_t result = 0;
  for (uint32_t lane = 0; lane < 32; ++lane) result |= static_cast<uint32_t>(Compare<T, C>(FromCell<T>(a[lane]), FromCell<T>(b[lane]))) << lane;
  uint32_t inverse = ~result;
  if (in.mode != 0) {
    const uint32_t other = in.offset != 0 ? ~warp.Predicate(in.c) : warp.Predicate(in.c);
    const auto join = [&](uint32_t value) { return in.mode == 1 ? value & other : in.mode == 2 ? value | other : value ^ other; };
    result = join(result);
    inverse = join(inverse);
  }
  warp.predicates[in.d] = (warp.predicates[in.d] & ~mask) | (result & mask);
  if (in.e != kNone) warp.predicates[in.e] = (warp.predicates[in.e] & ~mask) | (inverse & mask);
}

template <class T>
Handler ByComparison(uint32_t comparison) {
  Handler handler = nullptr;
  [&]<size_t... C>(std::index_sequence<C...>) { ((C == comparison ? handler = &Setp<T, static_cast<uint32_t>(C)> : nullptr), ...); }(std::make_index_sequence<kComparisons>());
  return handler;
}

template <class T>
void Selp(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<T>(in.d);
  const auto *a = warp.Row<T>(in.a), *b = warp.Row<T>(in.b);
  const uint32_t choice = in.mode != 0 ? ~warp.Predicate(in.c) : warp.Predicate(in.c);
  ForLanes(mask, [&](uint32_t lane) { d[lane] = (choice >> lane & 1) != 0 ? a[lane] : b[lane]; });
}

/// lo, ls, hi, hs are unsigned; so is every comparison of a type without a sign.
uint32_t ComparisonOf(const Statement& s) {
  const std::string& name = s.words.size() > 1 ? s.words[1] : s.words[0];
  if (name == "lo") return kLt;
  if (name == "ls") return kLe;
  if (name == "hi") return kGt;
  if (name == "hs") return kGe;
  for (uint32_t i = 0; i < kComparisons; ++i)
    if (name == kNames[i]) return i;
  Decoder::Unknown(s);
}

}  // namespace

bool DecodeCompare(Decoder& decoder, const Statement& s, Ins& in) {
  const Type type = LastType(s);
  if (s.words[0] == "selp") {
    Decoder::Words(s, "");
    Decoder::Count(s, 4);
    in.run = SizeOf(type) == 8 ? &Selp<uint64_t> : &Selp<uint32_t>;
    in.d = decoder.Target(s, 0);
    in.a = decoder.Source(s, 1, type);
    in.b = decoder.Source(s, 2, type);
    in.c = decoder.Predicate(s, s.operands[3]);
    in.mode = s.operands[3].negated ? 1 : 0;
    return true;
  }
  if (s.words[0] != "setp") return false;
  const uint32_t comparison = ComparisonOf(s);
  Decoder::Words(s, std::string("and or xor ftz ") + s.words[1]);
  switch (type) {
    case Type::F16: in.run = ByComparison<_Float16>(comparison); break;
    case Type::F32: in.run = ByComparison<float>(comparison); break;
    case Type::F64: in.run = ByComparison<double>(comparison); break;
    case Type::B16: case Type::U16: in.run = ByComparison<uint16_t>(comparison); break;
    case Type::S16: in.run = ByComparison<int16_t>(comparison); break;
    case Type::B32: case Type::U32: in.run = ByComparison<uint32_t>(comparison); break;
    case Type::S32: in.run = ByComparison<int32_t>(comparison); break;
    case Type::B64: case Type::U64: in.run = ByComparison<uint64_t>(comparison); break;
    case Type::S64: in.run = ByComparison<int64_t>(comparison); break;
    default: Decoder::Unknown(s);
  }
  const bool joined = s.Has("and") || s.Has("or") || s.Has("xor");
  Decoder::Count(s, joined ? 4 : 3);
  const bool both = s.operands[0].kind == Operand::Kind::Vector;
  in.d = decoder.Predicate(s, both ? s.operands[0].items[0] : s.operands[0]);
  in.e = both ? decoder.Predicate(s, s.operands[0].items[1]) : kNone;
  in.a = decoder.Source(s, 1, type);
  in.b = decoder.Source(s, 2, type);
  if (joined) {
    in.mode = s.Has("and") ? 1 : s.Has("or") ? 2 : 3;
    in.c = decoder.Predicate(s, s.operands[3]);
    in.offset = s.operands[3].negated ? 1 : 0;
  }
  return true;
}

}  // namespace grsim
