// and, or, xor, not, shifts, fields and counts of bits.
#include "handlers.h"

namespace grsim {
namespace {

template <class T> constexpr auto kAnd = [](T a, T b) { return static_cast<T>(a & b); };
template <class T> constexpr auto kOr = [](T a, T b) { return static_cast<T>(a | b); };
template <class T> constexpr auto kXor = [](T a, T b) { return static_cast<T>(a ^ b); };
template <class T> constexpr auto kNot = [](T a) { return static_cast<T>(~a); };
template <class T> constexpr auto kShl = [](T a, uint32_t n) { return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(uint64_t(a) << n); };
template <class T> constexpr auto kShr = [](T a, uint32_t n) {
  if constexpr (std::is_signed_v<T>) return static_cast<T>(a >> (n >= 8 * sizeof(T) ? 8 * sizeof(T) - 1 : n));
  else return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(a >> n);
};
constexpr auto kPopc32 = [](uint32_t a) { return static_cast<uint32_t>(std::popcount(a)); };
constexpr auto kPopc64 = [](uint64_t a) { return static_cast<uint32_t>(std::popcount(a)); };
constexpr auto kClz32 = [](uint32_t a) { return static_cast<uint32_t>(std::countl_zero(a)); };
constexpr auto kClz64 = [](uint64_t a) { return static_cast<uint32_t>(std::countl_zero(a)); };
template <class T> constexpr auto kBrev = [](T a) {
  T reversed = 0;
  for (size_t i = 0; i < 8 * sizeof(T); ++i) reversed |= static_cast<T>((a >> i & 1) << (8 * sizeof(T) - 1 - i));
  return reversed;
};
/// Place of the highest bit that differs from the sign; all bits set where there is none. Shift: by how much to shift it to the top.
template <class T, bool Shift> constexpr auto kBfind = [](T a) -> uint32_t {
  using U = std::make_unsigned_t<T>;
  const U bits = static_cast<U>(std::is_signed_v<T> && a < 0 ? ~a : a);
  if (bits == 0) return kNone;
  const auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
  return Shift ? zeros : static_cast<uint32_t>(8 * sizeof(T)) - 1 - zeros;
};
/// lop3: bit i of the result is bit (a b c) of the table.
void Lop3(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<uint32_t>(in.d);
  const auto *a = warp.Row<uint32_t>(in.a), *b = warp.Row<uint32_t>(in.b), *c = warp.Row<uint32_t>(in.c);
  ForLanes(mask, [&](uint32_t lane) {
    uint32_t result = 0;
    for (uint32_t term = 0; term < 8; ++term)
      if ((in.mode >> term & 1) != 0) result |= ((term & 4) != 0 ? a[lane] : ~a[lane]) & ((term & 2) != 0 ? b[lane] : ~b[lane]) & ((term & 1) != 0 ? c[lane] : ~c[lane]);
    d[lane] = result;
  });
}

template <bool Left, bool Clamp> constexpr auto kShf = [](uint32_t low, uint32_t high, uint32_t n) {
  const uint64_t both = uint64_t{high} << 32 | low;
  n = Clamp ? n > 32 ? 32 : n : n & 31;
  return static_cast<uint32_t>(Left ? both << n >> 32 : both >> n);
};

template <class T>
void Bfi(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<T>(in.d);
  const auto *a = warp.Row<T>(in.a), *b = warp.Row<T>(in.b);
  const auto *c = warp.Row<uint32_t>(in.c), *e = warp.Row<uint32_t>(in.e);
  ForLanes(mask, [&](uint32_t lane) {
    const uint32_t at = c[lane] & 255, count = e[lane] & 255, width = 8 * sizeof(T);
    if (at >= width || count == 0) {
      d[lane] = b[lane];
      return;
    }
    const T field = static_cast<T>((count >= width ? ~T{0} : (T{1} << count) - 1) << at);
    d[lane] = static_cast<T>((b[lane] & ~field) | (a[lane] << at & field));
  });
}

template <class T>
void Bfe(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<T>>(in.d);
  const auto* a = warp.Row<Cell<T>>(in.a);
  const auto *b = warp.Row<uint32_t>(in.b), *c = warp.Row<uint32_t>(in.c);
  ForLanes(mask, [&](uint32_t lane) {
    const uint32_t at = b[lane] & 255, count = c[lane] & 255, width = 8 * sizeof(T);
    const T value = FromCell<T>(a[lane]);
    const bool sign = std::is_signed_v<T> && count > 0 && (uint64_t(value) >> std::min(at + count - 1, width - 1) & 1) != 0;
    uint64_t field = at >= width ? 0 : uint64_t(std::make_unsigned_t<T>(value)) >> at;
    if (count < 64) field &= (1ull << count) - 1;
    if (sign) {
      const uint32_t have = at >= width ? 0 : std::min(count, width - at);
      if (have < 64) field |= ~0ull << have;
    }
    d[lane] = ToCell<T>(static_cast<T>(field));
  });
}

constexpr auto kPrmt = [](uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t both = uint64_t{b} << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t choice = selector >> (4 * i) & 15;
    uint32_t byte = static_cast<uint32_t>(both >> (8 * (choice & 7))) & 255;
    if ((choice & 8) != 0) byte = (byte & 128) != 0 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
};

// Predicates are masks of lanes.
template <auto F>
void PredicateOp(Warp& warp, const Ins& in, uint32_t mask) {
  const uint32_t value = F(warp.Predicate(in.a), warp.Predicate(in.b));
  warp.predicates[in.d] = (warp.predicates[in.d] & ~mask) | (value & mask);
}
constexpr auto kNotFirst = [](uint32_t a, uint32_t) { return ~a; };

Handler PredicateHandler(const std::string& op) {
  if (op == "and") return &PredicateOp<kAnd<uint32_t>>;
  if (op == "or") return &PredicateOp<kOr<uint32_t>>;
  if (op == "xor") return &PredicateOp<kXor<uint32_t>>;
  return &PredicateOp<kNotFirst>;
}

}  // namespace

bool DecodeBits(Decoder& decoder, const Statement& s, Ins& in) {
  const std::string& op = s.words[0];
  const Type type = LastType(s);
  const bool wide = SizeOf(type) == 8;
  const auto operands = [&](std::initializer_list<Type> types) {
    Decoder::Count(s, types.size() + 1);
    in.d = decoder.Target(s, 0);
    uint32_t* places[] = {&in.a, &in.b, &in.c, &in.e};
    size_t i = 0;
    for (const Type t : types) {
      *places[i] = decoder.Source(s, i + 1, t);
      ++i;
    }
  };
  if (op == "and" || op == "or" || op == "xor" || op == "not") {
    Decoder::Words(s, "");
    const bool one = op == "not";
    if (type == Type::Pred) {
      Decoder::Count(s, one ? 2 : 3);
      in.run = PredicateHandler(op);
      in.d = decoder.Predicate(s, s.operands[0]);
      in.a = decoder.Predicate(s, s.operands[1]);
      in.b = one ? in.a : decoder.Predicate(s, s.operands[2]);
      return true;
    }
    in.run = op == "and" ? GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kAnd<T>>)) : op == "or" ? GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kOr<T>>))
           : op == "xor" ? GRSIM_BY_INTEGER(type, (&Binary<T, T, T, kXor<T>>)) : GRSIM_BY_INTEGER(type, (&Unary<T, T, kNot<T>>));
    if (one) operands({type});
    else operands({type, type});
  } else if (op == "shl" || op == "shr") {
    Decoder::Words(s, "");
    in.run = op == "shl" ? GRSIM_BY_INTEGER(type, (&Binary<T, T, uint32_t, kShl<T>>)) : GRSIM_BY_INTEGER(type, (&Binary<T, T, uint32_t, kShr<T>>));
    operands({type, Type::U32});
  } else if (op == "shf") {
    Decoder::Words(s, "l r wrap clamp");
    const bool left = s.Has("l"), clamp = s.Has("clamp");
    in.run = left ? clamp ? &Ternary<uint32_t, uint32_t, uint32_t, kShf<true, true>> : &Ternary<uint32_t, uint32_t, uint32_t, kShf<true, false>>
                  : clamp ? &Ternary<uint32_t, uint32_t, uint32_t, kShf<false, true>> : &Ternary<uint32_t, uint32_t, uint32_t, kShf<false, false>>;
    operands({Type::B32, Type::B32, Type::U32});
  } else if (op == "lop3") {
    Decoder::Words(s, "");
    Decoder::Count(s, 5);
    in.mode = static_cast<uint32_t>(s.operands[4].value);
    in.run = &Lop3;
    in.d = decoder.Target(s, 0);
    in.a = decoder.Source(s, 1, Type::B32);
    in.b = decoder.Source(s, 2, Type::B32);
    in.c = decoder.Source(s, 3, Type::B32);
  } else if (op == "popc" || op == "clz") {
    Decoder::Words(s, "");
    in.run = op == "popc" ? wide ? &Unary<uint32_t, uint64_t, kPopc64> : &Unary<uint32_t, uint32_t, kPopc32>
                          : wide ? &Unary<uint32_t, uint64_t, kClz64> : &Unary<uint32_t, uint32_t, kClz32>;
    operands({type});
  } else if (op == "brev") {
    Decoder::Words(s, "");
    in.run = wide ? &Unary<uint64_t, uint64_t, kBrev<uint64_t>> : &Unary<uint32_t, uint32_t, kBrev<uint32_t>>;
    operands({type});
  } else if (op == "bfind") {
    Decoder::Words(s, "shiftamt");
    in.run = s.Has("shiftamt") ? GRSIM_BY_INTEGER(type, (&Unary<uint32_t, T, kBfind<T, true>>)) : GRSIM_BY_INTEGER(type, (&Unary<uint32_t, T, kBfind<T, false>>));
    operands({type});
  } else if (op == "bfi") {
    Decoder::Words(s, "");
    in.run = wide ? &Bfi<uint64_t> : &Bfi<uint32_t>;
    operands({type, type, Type::U32, Type::U32});
  } else if (op == "bfe") {
    Decoder::Words(s, "");
    in.run = GRSIM_BY_INTEGER(type, (&Bfe<T>));
    operands({type, Type::U32, Type::U32});
  } else if (op == "prmt") {
    Decoder::Words(s, "");
    in.run = &Ternary<uint32_t, uint32_t, uint32_t, kPrmt>;
    operands({Type::B32, Type::B32, Type::B32});
  } else {
    return false;
  }
  if (in.run == nullptr) Decoder::Unknown(s);
  return true;
}

}  // namespace grsim
