// Rows moved and rounded: states before a step, queries before a scan, candidates against their query. Bound by memory.
#include "grpcrec/device.cuh"

namespace rows {
template <class T> GR_DEVICE void gather(const gr_rows_args& args) {
  const int at = ((int)blockIdx.x * (int)blockDim.x + (int)threadIdx.x) * 4;
  if (at >= args.count * args.width) return;
  const int i = at / args.width, k = at % args.width;
  const Four x = load_four(args.in + (int64_t)(args.rows ? args.rows[i] : i) * args.width + k);
  T* out = static_cast<T*>(args.out) + at;
#pragma unroll
  for (int j = 0; j < 4; ++j) out[j] = round_held<T>(x.v[j]);
}

GR_KERNEL(gr_rows_f16, gr_rows_args, 256, 4) { gather<gr_f16>(args); }
GR_KERNEL(gr_rows_bf16, gr_rows_args, 256, 4) { gather<gr_bf16>(args); }
GR_KERNEL(gr_rows_f32, gr_rows_args, 256, 4) { gather<float>(args); }

/// A power of two takes a query's largest element into [1, 2): f16 then has its full 11 bits where they count, and nothing overflows.
GR_KERNEL(gr_query_round, gr_query_args, 128, 4) {
  GR_SHARED(float, largest, 4);
  const int query = (int)blockIdx.x;
  const float* q = args.queries + (int64_t)query * args.width;
  float most = 0.f;
  for (int k = (int)threadIdx.x; k < args.width; k += (int)blockDim.x) most = fmaxf(most, fabsf(q[k]));
#pragma unroll
  for (int distance = 16; distance > 0; distance >>= 1) most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, distance));
  if (lane_id() == 0) largest[warp_id()] = most;
  __syncthreads();
  most = fmaxf(fmaxf(largest[0], largest[1]), fmaxf(largest[2], largest[3]));
  // The exponent's bits alone are the power of two below; held where it and its inverse are normal numbers.
  const unsigned exponent = most > 0.f ? min(max(gr_bits_of_float(most) >> 23, 2u), 252u) : 127u;
  const float scale = gr_float_of_bits(exponent << 23), inverse = gr_float_of_bits((254u - exponent) << 23);
  for (int k = (int)threadIdx.x; k < args.width; k += (int)blockDim.x)
    static_cast<gr_f16*>(args.rounded)[(int64_t)query * args.width + k] = round_held<gr_f16>(q[k] * inverse);
  if (threadIdx.x == 0) args.scales[query] = scale;
}

/// A warp for each pair; lanes take every 32nd element, then their sums meet in one fixed order.
GR_KERNEL(gr_pair_dot, gr_pair_args, 256, 4) {
  const int pair = (int)blockIdx.x * 8 + warp_id();
  if (pair >= args.count) return;
  const int item = args.item_rows[pair];
  const float* q = args.queries + (int64_t)args.query_rows[pair] * args.ld_queries;
  const float* e = args.items + (int64_t)item * args.ld_items;
  float sum = 0.f;
  for (int k = lane_id(); k < args.inner; k += 32) sum = fmaf(q[k], e[k], sum);
#pragma unroll
  for (int distance = 16; distance > 0; distance >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  if (lane_id() == 0) args.out[(int64_t)pair * args.ld_out] = sum + (args.bias ? args.bias[item] : 0.f);
}
}  // namespace rows
