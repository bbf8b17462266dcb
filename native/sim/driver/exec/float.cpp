// Arithmetic and functions of floating-point numbers. Denormal numbers are kept where .ftz would drop them: below any tolerance.
#include <cmath>

#include "handlers.h"

namespace grsim {
namespace {

template <class T> constexpr auto kAdd = [](T a, T b) { return static_cast<T>(a + b); };
template <class T> constexpr auto kSub = [](T a, T b) { return static_cast<T>(a - b); };
template <class T> constexpr auto kMul = [](T a, T b) { return static_cast<T>(a * b); };
template <class T> constexpr auto kDiv = [](T a, T b) { return static_cast<T>(a / b); };
template <class T> constexpr auto kFma = [](T a, T b, T c) {
  // Of 16-bit numbers the product is exact in double precision, and so is the sum but for what rounding drops anyway.
  if constexpr (sizeof(T) == 2) return static_cast<T>(static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c));
  else return std::fma(a, b, c);
};
// Of a number and no number the number.
template <class T> constexpr auto kMin = [](T a, T b) { return a != a ? b : b != b ? a : a < b ? a : b; };
template <class T> constexpr auto kMax = [](T a, T b) { return a != a ? b : b != b ? a : a > b ? a : b; };
template <class T> constexpr auto kAbs = [](T a) { return a < 0 || (a == 0 && std::signbit(static_cast<double>(a))) ? static_cast<T>(-a) : a; };
template <class T> constexpr auto kNeg = [](T a) { return static_cast<T>(-a); };
template <class T> constexpr auto kSqrt = [](T a) { return static_cast<T>(std::sqrt(a)); };
template <class T> constexpr auto kRsqrt = [](T a) { return static_cast<T>(1 / std::sqrt(a)); };
template <class T> constexpr auto kRcp = [](T a) { return static_cast<T>(1 / a); };
constexpr auto kEx2 = [](float a) { return std::exp2(a); };
constexpr auto kLg2 = [](float a) { return std::log2(a); };
constexpr auto kSin = [](float a) { return std::sin(a); };
constexpr auto kCos = [](float a) { return std::cos(a); };

// As far off as the instruction may be, 2^-11 of the result, to a side that the argument's bits choose: what a test accepts here, it
// must accept on a device too.
constexpr auto kTanh = [](float a) {
  const float exact = std::tanh(a);
  const uint32_t hash = std::bit_cast<uint32_t>(a) * 2654435761u;
  const float off = exact * (1.f / 2048) * (static_cast<float>(hash >> 8) * (2.f / 16777216) - 1);
  return std::fmax(-1.f, std::fmin(1.f, exact + off));
};

constexpr auto kTanh16 = [](_Float16 a) { return static_cast<_Float16>(std::tanh(static_cast<float>(a))); };

// Two 16-bit numbers at once, each as the lone one.
template <auto F> constexpr auto kBothHalf2 = [](Pair16 a, Pair16 b) {
  const auto one = [](uint16_t x, uint16_t y) { return std::bit_cast<uint16_t>(F(std::bit_cast<_Float16>(x), std::bit_cast<_Float16>(y))); };
  return Pair16{one(a.low, b.low), one(a.high, b.high)};
};
constexpr auto kFmaHalf2 = [](Pair16 a, Pair16 b, Pair16 c) {
  const auto one = [](uint16_t x, uint16_t y, uint16_t z) {
    return std::bit_cast<uint16_t>(kFma<_Float16>(std::bit_cast<_Float16>(x), std::bit_cast<_Float16>(y), std::bit_cast<_Float16>(z)));
  };
  return Pair16{one(a.low, b.low, c.low), one(a.high, b.high, c.high)};
};
constexpr auto kFmaBf2 = [](Pair16 a, Pair16 b, Pair16 c) {
  const auto one = [](uint16_t x, uint16_t y, uint16_t z) { return ToBf16(std::fma(FromBf16(x), FromBf16(y), FromBf16(z))); };
  return Pair16{one(a.low, b.low, c.low), one(a.high, b.high, c.high)};
};
constexpr auto kFmaBf = [](uint16_t a, uint16_t b, uint16_t c) { return ToBf16(std::fma(FromBf16(a), FromBf16(b), FromBf16(c))); };

// .sat: to [0, 1], no number to 0.
template <auto F> constexpr auto kSat2 = [](float a, float b) { const float r = F(a, b); return r > 0 ? r < 1 ? r : 1.f : 0.f; };
constexpr auto kFmaSat = [](float a, float b, float c) { const float r = std::fma(a, b, c); return r > 0 ? r < 1 ? r : 1.f : 0.f; };

struct Choice { Handler run; size_t sources; };

Choice Choose(const std::string& op, Type type, bool saturate) {
  if (saturate) {
    if (type != Type::F32) return {nullptr, 0};
    if (op == "add") return {&Binary<float, float, float, kSat2<kAdd<float>>>, 2};
    if (op == "sub") return {&Binary<float, float, float, kSat2<kSub<float>>>, 2};
    if (op == "mul") return {&Binary<float, float, float, kSat2<kMul<float>>>, 2};
    if (op == "fma" || op == "mad") return {&Ternary<float, float, float, kFmaSat>, 3};
    return {nullptr, 0};
  }
  if (type == Type::F16x2) {
    if (op == "add") return {&Binary<Pair16, Pair16, Pair16, kBothHalf2<kAdd<_Float16>>>, 2};
    if (op == "sub") return {&Binary<Pair16, Pair16, Pair16, kBothHalf2<kSub<_Float16>>>, 2};
    if (op == "mul") return {&Binary<Pair16, Pair16, Pair16, kBothHalf2<kMul<_Float16>>>, 2};
    if (op == "min") return {&Binary<Pair16, Pair16, Pair16, kBothHalf2<kMin<_Float16>>>, 2};
    if (op == "max") return {&Binary<Pair16, Pair16, Pair16, kBothHalf2<kMax<_Float16>>>, 2};
    if (op == "fma") return {&Ternary<Pair16, Pair16, Pair16, kFmaHalf2>, 3};
    return {nullptr, 0};
  }
  if (type == Type::BF16x2) return op == "fma" ? Choice{&Ternary<Pair16, Pair16, Pair16, kFmaBf2>, 3} : Choice{nullptr, 0};
  if (type == Type::BF16) return op == "fma" ? Choice{&Ternary<uint16_t, uint16_t, uint16_t, kFmaBf>, 3} : Choice{nullptr, 0};
  if (op == "add") return {GRSIM_BY_FLOAT(type, (&Binary<T, T, T, kAdd<T>>)), 2};
  if (op == "sub") return {GRSIM_BY_FLOAT(type, (&Binary<T, T, T, kSub<T>>)), 2};
  if (op == "mul") return {GRSIM_BY_FLOAT(type, (&Binary<T, T, T, kMul<T>>)), 2};
  if (op == "div") return {GRSIM_BY_FLOAT(type, (&Binary<T, T, T, kDiv<T>>)), 2};
  if (op == "min") return {GRSIM_BY_FLOAT(type, (&Binary<T, T, T, kMin<T>>)), 2};
  if (op == "max") return {GRSIM_BY_FLOAT(type, (&Binary<T, T, T, kMax<T>>)), 2};
  if (op == "fma" || op == "mad") return {GRSIM_BY_FLOAT(type, (&Ternary<T, T, T, kFma<T>>)), 3};
  if (op == "abs") return {GRSIM_BY_FLOAT(type, (&Unary<T, T, kAbs<T>>)), 1};
  if (op == "neg") return {GRSIM_BY_FLOAT(type, (&Unary<T, T, kNeg<T>>)), 1};
  if (type == Type::F32 || type == Type::F64) {
    const bool single = type == Type::F32;
    if (op == "sqrt") return {single ? &Unary<float, float, kSqrt<float>> : &Unary<double, double, kSqrt<double>>, 1};
    if (op == "rsqrt") return {single ? &Unary<float, float, kRsqrt<float>> : &Unary<double, double, kRsqrt<double>>, 1};
    if (op == "rcp") return {single ? &Unary<float, float, kRcp<float>> : &Unary<double, double, kRcp<double>>, 1};
  }
  if (type == Type::F16 && op == "tanh") return {&Unary<_Float16, _Float16, kTanh16>, 1};
  if (type != Type::F32) return {nullptr, 0};
  if (op == "ex2") return {&Unary<float, float, kEx2>, 1};
  if (op == "lg2") return {&Unary<float, float, kLg2>, 1};
  if (op == "sin") return {&Unary<float, float, kSin>, 1};
  if (op == "cos") return {&Unary<float, float, kCos>, 1};
  if (op == "tanh") return {&Unary<float, float, kTanh>, 1};
  return {nullptr, 0};
}

}  // namespace

bool DecodeFloat(Decoder& decoder, const Statement& s, Ins& in) {
  static constexpr std::string_view kOps = " add sub mul div min max fma mad abs neg sqrt rsqrt rcp ex2 lg2 sin cos tanh ";
  if (kOps.find(" " + s.words[0] + " ") == std::string_view::npos) return false;
  Decoder::Words(s, "rn ftz approx full sat");
  const Type type = LastType(s);
  const Choice choice = Choose(s.words[0], type, s.Has("sat"));
  if (choice.run == nullptr) Decoder::Unknown(s);
  Decoder::Count(s, choice.sources + 1);
  in.run = choice.run;
  in.d = decoder.Target(s, 0);
  in.a = decoder.Source(s, 1, type);
  if (choice.sources > 1) in.b = decoder.Source(s, 2, type);
  if (choice.sources > 2) in.c = decoder.Source(s, 3, type);
  return true;
}

}  // namespace grsim
