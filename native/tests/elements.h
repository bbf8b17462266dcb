// The elements of products, for code that is not a kernel.
#pragma once
#include <cstdint>
#include <cstring>
#include "simt.h"

struct F16 { uint16_t bits; };
struct Bf16 { uint16_t bits; };

inline double value_of(float x) { return x; }
inline double value_of(F16 x) { return simt::half_to_float(x.bits); }
inline double value_of(Bf16 x) { return simt::bf16_to_float(x.bits); }

template <class T> T rounded(double x);
template <> inline float rounded<float>(double x) { return (float)x; }
template <> inline F16 rounded<F16>(double x) { return {simt::float_to_half((float)x)}; }
template <> inline Bf16 rounded<Bf16>(double x) {
  const float f = (float)x;
  uint32_t bits;
  memcpy(&bits, &f, 4);
  return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

template <class T> constexpr const char* name_of = "";
template <> inline constexpr const char* name_of<float> = "f32";
template <> inline constexpr const char* name_of<F16> = "f16";
template <> inline constexpr const char* name_of<Bf16> = "bf16";

/// Type of input projections beside products of T.
template <class T> struct GateOf { using type = F16; };
template <> struct GateOf<float> { using type = float; };
