// CUDA's names for the SIMT host build. Included by grpcrec/device.cuh where the compiler is not nvcc.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include "simt.h"

#ifndef GR_HOST_ARCH
#define GR_HOST_ARCH 800
#endif
#define GR_ARCH GR_HOST_ARCH

using std::max;
using std::min;

struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

#define GR_DEVICE static inline
#define GR_MEMBER inline
#define GR_KERNEL(name, args_type, threads, blocks)                                                         \
  static void name(const args_type& args);                                                                  \
  static simt::Kernel name##_entry{#name, [](const void* args) { name(*static_cast<const args_type*>(args)); }, threads, nullptr}; \
  [[maybe_unused]] static const bool name##_registered = (simt::register_kernel(&name##_entry), true);       \
  static void name(const args_type& args)
#define GR_SHARED(type, name, count)  \
  static const char name##_key = 0;   \
  type* const name = static_cast<type*>(simt::shared_array(&name##_key, sizeof(type) * (count)))
#define GR_DYNAMIC_SHARED(name) unsigned char* const name = static_cast<unsigned char*>(simt::dynamic_shared())

#define threadIdx (simt::place().thread)
#define blockIdx (simt::place().block)
#define blockDim (simt::place().block_dim)
#define gridDim (simt::place().grid_dim)

// The caller's place comes with the call, so that a collective met in two places can be told.
#define GR_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define GR_HERE simt::Site{file, line}

static inline void __syncthreads(GR_SITE) { simt::barrier(GR_HERE); }
static inline void __syncwarp(unsigned mask = 0xffffffffu, GR_SITE) { simt::warp_barrier(mask, GR_HERE); }
static inline unsigned __ballot_sync(unsigned mask, bool vote, GR_SITE) { return simt::ballot(mask, vote, GR_HERE); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }

template <class T> static inline T __shfl_sync(unsigned mask, T value, int source, GR_SITE) {
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = simt::shuffle(mask, bits, source & 31, GR_HERE);
  memcpy(&value, &bits, sizeof value);
  return value;
}

template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int distance, GR_SITE) {
  return __shfl_sync(mask, value, (int)(threadIdx.x & 31u) ^ distance, file, line);
}

GR_DEVICE float gr_half_to_float(unsigned short h) { return simt::half_to_float(h); }
GR_DEVICE unsigned short gr_float_to_half(float f) { return simt::float_to_half(f); }
GR_DEVICE float gr_float_of_bits(unsigned x) { return __builtin_bit_cast(float, x); }
GR_DEVICE unsigned gr_bits_of_float(float x) { return __builtin_bit_cast(unsigned, x); }
GR_DEVICE float gr_exp2(float x) { return std::exp2(x); }
GR_DEVICE float gr_reciprocal(float x) { return 1.f / x; }
GR_DEVICE float gr_tanh_approx(float x) { return std::tanh(x); }
static inline void gr_copy16(void* shared, const void* global, GR_SITE) { simt::copy16(shared, global, GR_HERE); }
GR_DEVICE void gr_copy_wait() { simt::copy_wait(); }
static inline void gr_ldmatrix4(unsigned (&r)[4], const void* row, GR_SITE) { simt::ldmatrix4(r, row, GR_HERE); }

static inline void gr_mma_f16(float* d, const unsigned (&a)[4], const unsigned (&b)[2], GR_SITE) { simt::mma(d, a, b, simt::half_to_float, GR_HERE); }
static inline void gr_mma_bf16(float* d, const unsigned (&a)[4], const unsigned (&b)[2], GR_SITE) { simt::mma(d, a, b, simt::bf16_to_float, GR_HERE); }
static inline void gr_wmma(float (&d)[8], const void* a, int lda, const void* b, int ldb, GR_SITE) {
  simt::wmma(d, a, lda, b, ldb, simt::half_to_float, GR_HERE);
}

GR_DEVICE void gr_wmma_store(float* out, int ld, const float (&d)[8]) {
  const int row = (int)(threadIdx.x & 31u);
  for (int column = 0; column < 8; ++column) out[column * ld + row] = d[column];
}
