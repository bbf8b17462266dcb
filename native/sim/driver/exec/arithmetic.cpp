// add, sub, mul, mad, div, rem, min, max, abs, neg of integers, and dot products of bytes.
#include "handlers.h"

namespace grsim {
namespace {

template <class T> using Unsigned = std::make_unsigned_t<T>;

// In unsigned arithmetic, which wraps as the device does.
template <class T> constexpr auto kAdd = [](T a, T b) { return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b)); };
template <class T> constexpr auto kSub = [](T a, T b) { return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b)); };
template <class T> constexpr auto kMul = [](T a, T b) { return static_cast<T>(static_cast<Unsigned<T>>(uint64_t(Unsigned<T>(a)) * uint64_t(Unsigned<T>(b)))); };
template <class T> constexpr auto kMulHigh = [](T a, T b) {
  using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
  return static_cast<T>(static_cast<Wide>(a) * b >> (8 * sizeof(T)));
};
template <class T> constexpr auto kMad = [](T a, T b, T c) { return kAdd<T>(kMul<T>(a, b), c); };
// What the device gives for a division by zero: all bits set.
template <class T> constexpr auto kDiv = [](T a, T b) { return b == 0 ? static_cast<T>(~T{0}) : std::is_signed_v<T> && b == static_cast<T>(-1) ? kSub<T>(0, a) : static_cast<T>(a / b); };
template <class T> constexpr auto kRem = [](T a, T b) { return b == 0 ? a : std::is_signed_v<T> && b == static_cast<T>(-1) ? T{0} : static_cast<T>(a % b); };
template <class T> constexpr auto kMin = [](T a, T b) { return a < b ? a : b; };
template <class T> constexpr auto kMax = [](T a, T b) { return a > b ? a : b; };
template <class T> constexpr auto kAbs = [](T a) { return a < 0 ? kSub<T>(0, a) : a; };
template <class T> constexpr auto kNeg = [](T a) { return kSub<T>(0, a); };

template <class T, class W> constexpr auto kMulWide = [](T a, T b) { return static_cast<W>(static_cast<W>(a) * static_cast<W>(b)); };
template <class T, class W> constexpr auto kMadWide = [](T a, T b, W c) { return kAdd<W>(kMulWide<T, W>(a, b), c); };

template <bool SignedA, bool SignedB>
constexpr auto kDot4 = [](uint32_t a, uint32_t b, uint32_t c) {
  for (int i = 0; i < 4; ++i) {
    const auto x = static_cast<uint8_t>(a >> (8 * i)), y = static_cast<uint8_t>(b >> (8 * i));
    c += static_cast<uint32_t>((SignedA ? static_cast<int8_t>(x) : static_cast<int>(x)) * (SignedB ? static_cast<int8_t>(y) : static_cast<int>(y)));
  }
  return c;
};

Handler Wide(Type type, bool add) {
  switch (type) {
    case Type::U16: return add ? &Ternary<uint32_t, uint16_t, uint32_t, kMadWide<uint16_t, uint32_t>> : &Binary<uint32_t, uint16_t, uint16_t, kMulWide<uint16_t, uint32_t>>;
    case Type::S16: return add ? &Ternary<int32_t, int16_t, int32_t, kMadWide<int16_t, int32_t>> : &Binary<int32_t, int16_t, int16_t, kMulWide<int16_t, int32_t>>;
    case Type::U32: return add ? &Ternary<uint64_t, uint32_t, uint64_t, kMadWide<uint32_t, uint64_t>> : &Binary<uint64_t, uint32_t, uint32_t, kMulWide<uint32_t, uint64_t>>;
    case Type::S32: return add ? &Ternary<int64_t, int32_t, int64_t, kMadWide<int32_t, int64_t>> : &Binary<int64_t, int32_t, int32_t, kMulWide<int32_t, int64_t>>;
    default: return nullptr;
  }
}

}  // namespace

bool DecodeArithmetic(Decoder& decoder, const Statement& s, Ins& in) {
  const std::string& op = s.words[0];
  const Type type = LastType(s);
  if (type == Type::F16 || type == Type::F32 || type == Type::F64 || type == Type::F16x2 || type == Type::BF16 || type == Type::BF16x2) return false;
  size_t sources = 2;
  if (op == "add") in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kAdd<T>>));
  else if (op == "sub") in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kSub<T>>));
  else if (op == "mul" && s.Has("lo")) in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kMul<T>>));
  else if (op == "mul" && s.Has("hi")) in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kMulHigh<T>>));
  else if (op == "mul" && s.Has("wide")) in.run = Wide(type, false);
  else if (op == "div") in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kDiv<T>>));
  else if (op == "rem") in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kRem<T>>));
  else if (op == "min") in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kMin<T>>));
  else if (op == "max") in.run = GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kMax<T>>));
  else if (op == "abs" || op == "neg") {
    sources = 1;
    in.run = op == "abs" ? GRSIM_BY_INTEGER(type, (&Unary<T, T, kAbs<T>>)) : GRSIM_BY_INTEGER(type, (&Unary<T, T, kNeg<T>>));
  } else if (op == "mad" && s.Has("lo")) {
    sources = 3;
    in.run = GRSIM_BY_INTEGER(type, (&Ternary<T, T, T, kMad<T>>));
  } else if (op == "mad" && s.Has("wide")) {
    sources = 3;
    in.run = Wide(type, true);
  } else if (op == "dp4a") {
    sources = 3;
    if (s.words.size() != 3) Decoder::Unknown(s);
    const bool a = s.words[1] == "s32", b = s.words[2] == "s32";
    in.run = a ? b ? &Ternary<uint32_t, uint32_t, uint32_t, kDot4<true, true>> : &Ternary<uint32_t, uint32_t, uint32_t, kDot4<true, false>>
               : b ? &Ternary<uint32_t, uint32_t, uint32_t, kDot4<false, true>> : &Ternary<uint32_t, uint32_t, uint32_t, kDot4<false, false>>;
  } else {
    return false;
  }
  Decoder::Words(s, "lo hi wide");
  if (in.run == nullptr) Decoder::Unknown(s);
  Decoder::Count(s, sources + 1);
  const bool wide = s.Has("wide");
  in.d = decoder.Target(s, 0);
  in.a = decoder.Source(s, 1, type);
  if (sources > 1) in.b = decoder.Source(s, 2, type);
  if (sources > 2) in.c = decoder.Source(s, 3, !wide ? type : SizeOf(type) == 4 ? Type::B64 : Type::B32);
  return true;
}

}  // namespace grsim
