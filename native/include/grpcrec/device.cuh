// What the kernels are written in: CUDA C++ and a few instructions, served by two compilers.
//   nvcc       device_cuda.cuh: inline PTX where C++ has no name for an instruction
//   any C++17  sim/simt/device_host.h: the same names on the SIMT host build, for tests under sanitizers
// GR_ARCH is the capability that the code is compiled for, times 100; the host build takes 800, or 700 by -DGR_HOST_ARCH=700.
#pragma once

#if defined(__CUDACC__)
#include "grpcrec/device_cuda.cuh"
#else
#include "device_host.h"
#endif
#include "grpcrec/abi.h"

/// Elements of 16 bits, kept apart by type so that a kernel cannot mix them up.
struct gr_f16 { unsigned short bits; };
struct gr_bf16 { unsigned short bits; };

GR_DEVICE float to_float(float x) { return x; }
GR_DEVICE float to_float(gr_f16 x) { return gr_half_to_float(x.bits); }
GR_DEVICE float to_float(gr_bf16 x) { return gr_float_of_bits((unsigned)x.bits << 16); }

/// Rounds to nearest even. For values that T can hold.
template <class T> GR_MEMBER T round_to(float x);
template <> GR_MEMBER float round_to<float>(float x) { return x; }
template <> GR_MEMBER gr_f16 round_to<gr_f16>(float x) { return gr_f16{gr_float_to_half(x)}; }
template <> GR_MEMBER gr_bf16 round_to<gr_bf16>(float x) {
  // No NaN comes here, so the rounding needs no case for it.
  const unsigned bits = gr_bits_of_float(x);
  return gr_bf16{(unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

/// The same; what f16 cannot hold stays at its largest, 65504, so that no infinity enters a sum. A gate that far out is saturated.
template <class T> GR_MEMBER T round_held(float x) { return round_to<T>(x); }
template <> GR_MEMBER gr_f16 round_held<gr_f16>(float x) { return round_to<gr_f16>(fminf(fmaxf(x, -65504.f), 65504.f)); }

/// Type in which input projections are kept beside products of T.
template <class T> struct GateElement { using type = gr_f16; static constexpr bool is_f16 = false; };
template <> struct GateElement<gr_f16> { using type = gr_f16; static constexpr bool is_f16 = true; };
template <> struct GateElement<float> { using type = float; static constexpr bool is_f16 = false; };

/// Activations beside products of T. 16-bit products carry an error of 2^-11 anyway, so tanh.approx (2^-11) serves there;
/// float32 takes the exponential, whose absolute error is below 4e-7.
template <class T> GR_MEMBER float tanh_of(float x) { return gr_tanh_approx(x); }
template <> GR_MEMBER float tanh_of<float>(float x) { return fmaf(-2.f, gr_reciprocal(1.f + gr_exp2(2.885390082f * x)), 1.f); }
template <class T> GR_MEMBER float sigmoid_of(float x) { return fmaf(0.5f, gr_tanh_approx(0.5f * x), 0.5f); }
template <> GR_MEMBER float sigmoid_of<float>(float x) { return gr_reciprocal(1.f + gr_exp2(-1.442695041f * x)); }

/// Four numbers of one row: a unit's gates.
struct Four { float v[4]; };

GR_DEVICE Four load_four(const float* p) {
  const float4 q = *reinterpret_cast<const float4*>(p);
  return Four{{q.x, q.y, q.z, q.w}};
}

GR_DEVICE Four load_four(const gr_f16* p) {
  const uint2 q = *reinterpret_cast<const uint2*>(p);
  return Four{{gr_half_to_float((unsigned short)q.x), gr_half_to_float((unsigned short)(q.x >> 16)),
               gr_half_to_float((unsigned short)q.y), gr_half_to_float((unsigned short)(q.y >> 16))}};
}

GR_DEVICE void store_four(float* p, const Four& x) { *reinterpret_cast<float4*>(p) = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]); }

GR_DEVICE void store_four(gr_f16* p, const Four& x) {
  unsigned short h[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) h[i] = round_held<gr_f16>(x.v[i]).bits;
  *reinterpret_cast<uint2*>(p) = make_uint2(h[0] | (unsigned)h[1] << 16, h[2] | (unsigned)h[3] << 16);
}

GR_DEVICE int lane_id() { return (int)(threadIdx.x & 31u); }
GR_DEVICE int warp_id() { return (int)(threadIdx.x >> 5); }
