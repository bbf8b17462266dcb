// Handlers from plain functions of values: one loop over the lanes for each arity.
#pragma once
#include "block.h"
#include "decoder.h"

namespace grsim {

/// d = f(a)
template <class D, class A, auto F>
void Unary(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  ForLanes(mask, [&](uint32_t lane) { d[lane] = ToCell<D>(F(FromCell<A>(a[lane]))); });
}

/// d = f(a, b)
template <class D, class A, class B, auto F>
void Binary(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  const auto* b = warp.Row<Cell<B>>(in.b);
  ForLanes(mask, [&](uint32_t lane) { d[lane] = ToCell<D>(F(FromCell<A>(a[lane]), FromCell<B>(b[lane]))); });
}

/// d = f(a, b, c)
template <class D, class A, class C, auto F>
void Ternary(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<Cell<D>>(in.d);
  const auto* a = warp.Row<Cell<A>>(in.a);
  const auto* b = warp.Row<Cell<A>>(in.b);
  const auto* c = warp.Row<Cell<C>>(in.c);
  ForLanes(mask, [&](uint32_t lane) { d[lane] = ToCell<D>(F(FromCell<A>(a[lane]), FromCell<A>(b[lane]), FromCell<C>(c[lane]))); });
}

/// Two 16-bit numbers in one register.
struct Pair16 { uint16_t low, high; };

/// The handler of an integer type from a template over it; null where the type is none.
#define GRSIM_BY_INTEGER(TYPE, HANDLER)                                                    \
  [](Type type_) -> Handler {                                                              \
    switch (type_) {                                                                       \
      case Type::B16: case Type::U16: { using T = uint16_t; return HANDLER; }              \
      case Type::S16: { using T = int16_t; return HANDLER; }                               \
      case Type::B32: case Type::U32: { using T = uint32_t; return HANDLER; }              \
      case Type::S32: { using T = int32_t; return HANDLER; }                               \
      case Type::B64: case Type::U64: { using T = uint64_t; return HANDLER; }              \
      case Type::S64: { using T = int64_t; return HANDLER; }                               \
      default: return nullptr;                                                             \
    }                                                                                      \
  }(TYPE)

/// The same of floating-point types. bf16 has functions of its own.
#define GRSIM_BY_FLOAT(TYPE, HANDLER)                                                      \
  [](Type type_) -> Handler {                                                              \
    switch (type_) {                                                                       \
      case Type::F16: { using T = _Float16; return HANDLER; }                              \
      case Type::F32: { using T = float; return HANDLER; }                                 \
      case Type::F64: { using T = double; return HANDLER; }                                \
      default: return nullptr;                                                             \
    }                                                                                      \
  }(TYPE)

inline float FromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// To the nearest, ties to even.
inline uint16_t ToBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7FFF;
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace grsim
