// 16-bit numbers by plain arithmetic.
#include <cmath>
#include <cstring>
#include "simt.h"

namespace simt {

namespace {

float widen(int half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  float value;
  if (exponent == 31) value = mantissa != 0 ? NAN : INFINITY;
  else if (exponent == 0) value = std::ldexp((float)mantissa, -24);
  else value = std::ldexp((float)(mantissa + 1024), exponent - 25);
  return half & 0x8000 ? -value : value;
}

// Products on the host widen some hundred million of them.
struct Table {
  float values[65536];
  Table() {
    for (int i = 0; i < 65536; ++i) values[i] = widen(i);
  }
};
const Table table;

}  // namespace

float half_to_float(uint16_t half) { return table.values[half]; }

uint16_t float_to_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint16_t sign = bits >> 16 & 0x8000;
  const uint32_t size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7fff;
  if (size >= 0x477ff000) return sign | 0x7c00;  // 65520 and more round to infinity
  if (size < 0x38800000) return sign | (uint16_t)std::lrint(std::ldexp(std::fabs((double)value), 24));
  return sign | (uint16_t)((size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13);
}

float bf16_to_float(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

}  // namespace simt
