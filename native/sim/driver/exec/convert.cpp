// cvt between all types that kernels use.
#include <cmath>
#include <limits>

#include "handlers.h"

namespace grsim {
namespace {

enum Rounding : uint32_t { kToNearest, kToZero, kDownward, kUpward };

double Rounded(double value, uint32_t rounding) {
  switch (rounding) {
    case kToZero: return std::trunc(value);
    case kDownward: return std::floor(value);
    case kUpward: return std::ceil(value);
    default: return std::nearbyint(value);
  }
}

/// Integer to integer: by the source's sign; .sat holds at the ends.
template <class D, class A>
void IntegerToInteger(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  const bool saturate = in.offset != 0;
  ForLanes(mask, [&](uint32_t lane) {
    const A value = FromCell<A>(a[lane]);
    if (saturate) {
      using L = std::numeric_limits<D>;
      const __int128 wide = value;
      d[lane] = ToCell<D>(wide < static_cast<__int128>(L::min()) ? L::min() : wide > static_cast<__int128>(L::max()) ? L::max() : static_cast<D>(value));
      return;
    }
    // Narrow results are widened in their register by their own sign, so that a wider reader sees the same number.
    if constexpr (sizeof(D) < 4 && std::is_signed_v<D>) d[lane] = static_cast<uint32_t>(static_cast<int32_t>(static_cast<D>(value)));
    else d[lane] = ToCell<D>(static_cast<D>(value));
  });
}

template <class D, class A>
void IntegerToFloat(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  ForLanes(mask, [&](uint32_t lane) { d[lane] = ToCell<D>(static_cast<D>(FromCell<A>(a[lane]))); });
}

/// Out of range: the nearest end; no number: 0.
template <class D, class A>
void FloatToInteger(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  using L = std::numeric_limits<D>;
  ForLanes(mask, [&](uint32_t lane) {
    const double value = Rounded(static_cast<double>(FromCell<A>(a[lane])), in.mode);
    d[lane] = ToCell<D>(value != value ? D{0} : value <= static_cast<double>(L::min()) ? L::min() : value >= static_cast<double>(L::max()) ? L::max() : static_cast<D>(value));
  });
}

/// mode: rounding where it is to an integer (offset bit 1); offset bit 0: to [0, 1], bit 2: toward zero.
template <class D, class A>
void FloatToFloat(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  if (in.offset == 0) {
    ForLanes(mask, [&](uint32_t lane) { d[lane] = ToCell<D>(static_cast<D>(FromCell<A>(a[lane]))); });
    return;
  }
  ForLanes(mask, [&](uint32_t lane) {
    double value = static_cast<double>(FromCell<A>(a[lane]));
    if ((in.offset & 2) != 0) value = Rounded(value, in.mode);
    if ((in.offset & 1) != 0) value = value > 0 ? value < 1 ? value : 1 : 0;
    d[lane] = ToCell<D>(static_cast<D>(value));
  });
}

constexpr auto kFloatToBf16 = [](float a) { return ToBf16(a); };
constexpr auto kBf16ToFloat = [](uint16_t a) { return FromBf16(a); };
// The first operand is the upper half.
constexpr auto kToHalf2 = [](float a, float b) { return Pair16{std::bit_cast<uint16_t>(static_cast<_Float16>(b)), std::bit_cast<uint16_t>(static_cast<_Float16>(a))}; };
constexpr auto kToBf2 = [](float a, float b) { return Pair16{ToBf16(b), ToBf16(a)}; };
// tf32 keeps 10 bits of the mantissa; ties away from zero.
constexpr auto kToTf32 = [](float a) { return (std::bit_cast<uint32_t>(a) + 0x1000u) & ~0x1FFFu; };

#define GRSIM_FROM(D, FROM, HANDLER)                                \
  switch (FROM) {                                                   \
    case Type::U8: case Type::B8: return &HANDLER<D, uint8_t>;      \
    case Type::S8: return &HANDLER<D, int8_t>;                      \
    case Type::U16: case Type::B16: return &HANDLER<D, uint16_t>;   \
    case Type::S16: return &HANDLER<D, int16_t>;                    \
    case Type::U32: case Type::B32: return &HANDLER<D, uint32_t>;   \
    case Type::S32: return &HANDLER<D, int32_t>;                    \
    case Type::U64: case Type::B64: return &HANDLER<D, uint64_t>;   \
    case Type::S64: return &HANDLER<D, int64_t>;                    \
    default: return nullptr;                                        \
  }

template <class D> Handler IntegerFromInteger(Type from) { GRSIM_FROM(D, from, IntegerToInteger) }
template <class D> Handler FloatFromInteger(Type from) { GRSIM_FROM(D, from, IntegerToFloat) }
template <class D> Handler IntegerFromFloat(Type from) {
  return from == Type::F16 ? &FloatToInteger<D, _Float16> : from == Type::F32 ? &FloatToInteger<D, float> : from == Type::F64 ? &FloatToInteger<D, double> : nullptr;
}
template <class D> Handler FloatFromFloat(Type from) {
  return from == Type::F16 ? &FloatToFloat<D, _Float16> : from == Type::F32 ? &FloatToFloat<D, float> : from == Type::F64 ? &FloatToFloat<D, double> : nullptr;
}
template <class D> Handler ToInteger(Type from) { return from >= Type::F16 ? IntegerFromFloat<D>(from) : IntegerFromInteger<D>(from); }
template <class D> Handler ToFloat(Type from) { return from >= Type::F16 ? FloatFromFloat<D>(from) : FloatFromInteger<D>(from); }

Handler Find(Type to, Type from) {
  switch (to) {
    case Type::U8: return ToInteger<uint8_t>(from);
    case Type::S8: return ToInteger<int8_t>(from);
    case Type::U16: return ToInteger<uint16_t>(from);
    case Type::S16: return ToInteger<int16_t>(from);
    case Type::U32: return ToInteger<uint32_t>(from);
    case Type::S32: return ToInteger<int32_t>(from);
    case Type::U64: return ToInteger<uint64_t>(from);
    case Type::S64: return ToInteger<int64_t>(from);
    case Type::F16: return ToFloat<_Float16>(from);
    case Type::F32: return from == Type::BF16 ? &Unary<float, uint16_t, kBf16ToFloat> : ToFloat<float>(from);
    case Type::F64: return ToFloat<double>(from);
    case Type::BF16: return from == Type::F32 ? &Unary<uint16_t, float, kFloatToBf16> : nullptr;
    case Type::TF32: return from == Type::F32 ? &Unary<uint32_t, float, kToTf32> : nullptr;
    default: return nullptr;
  }
}

/// The row of a source whose register may be wider than its type.
uint32_t LooseSource(Decoder& decoder, const Statement& s, size_t index, Type type) {
  return decoder.Source(s, index, decoder.IsWide(Decoder::At(s, index)) ? Type::B64 : SizeOf(type) == 8 ? type : Type::B32);
}

}  // namespace

bool DecodeConvert(Decoder& decoder, const Statement& s, Ins& in) {
  if (s.words[0] != "cvt") return false;
  Decoder::Words(s, "rn rna rz rni rzi rm rmi rp rpi ftz sat");
  std::vector<Type> types;
  for (const auto& word : s.words)
    if (const Type type = TypeOf(word); type != Type::None) types.push_back(type);
  if (types.size() != 2) Decoder::Unknown(s);
  const Type to = types[0], from = types[1];
  in.d = decoder.Target(s, 0);
  if (to == Type::F16x2 || to == Type::BF16x2) {
    Decoder::Count(s, 3);
    if (from != Type::F32 || !s.Has("rn")) Decoder::Unknown(s);
    in.run = to == Type::F16x2 ? &Binary<Pair16, float, float, kToHalf2> : &Binary<Pair16, float, float, kToBf2>;
    in.a = decoder.Source(s, 1, Type::F32);
    in.b = decoder.Source(s, 2, Type::F32);
    return true;
  }
  Decoder::Count(s, 2);
  in.run = Find(to, from);
  const bool narrows = from > to && to >= Type::F16;
  if (in.run == nullptr || (narrows && (s.Has("rz") || s.Has("rm") || s.Has("rp")))) Decoder::Unknown(s);
  in.a = LooseSource(decoder, s, 1, from);
  if (decoder.IsWide(Decoder::At(s, 1)) && SizeOf(from) < 8) {
    // The low half of a wide register: read as 64-bit and cut by the type.
    in.run = Find(to, IsSigned(from) ? Type::S64 : Type::U64);
    if (from != Type::U32 && from != Type::B32) Decoder::Unknown(s);
  }
  const bool to_integer = s.Has("rni") || s.Has("rzi") || s.Has("rmi") || s.Has("rpi");
  in.mode = s.Has("rzi") || s.Has("rz") ? kToZero : s.Has("rmi") || s.Has("rm") ? kDownward : s.Has("rpi") || s.Has("rp") ? kUpward : kToNearest;
  in.offset = (s.Has("sat") ? 1 : 0) | (to_integer && to >= Type::F16 ? 2 : 0);
  return true;
}

}  // namespace grsim
