// Dense layers in float32 for whatever is small beside the encoder or runs once: gate tables, task heads, catalogue scores.
//
// Grid (ceil(columns / 64), ceil(count / 64)), block 256: a thread sums 4 × 4 outputs in ascending k, so a row's bits do not depend on
// its company. Heads are float32 on purpose: their answer is what callers see, and they are a thousandth of an encoder's work.
// Shared memory: 2 × [16][68] floats, 8,704 bytes. Bound by fused multiply-adds at load, by latency in a request.
#include "grpcrec/device.cuh"

namespace dense {
constexpr int kSide = 64, kDepth = 16, kRow = kSide + 4;

/// Row i of the layer's input, element k.
struct PlainInput {
  const float* row;

  GR_MEMBER PlainInput(const gr_dense_args& args, int i) : row(args.in + (int64_t)(args.rows ? args.rows[i] : i) * args.ld_in) {}
  GR_MEMBER float operator()(int k) const { return row[k]; }
};

/// e ‖ p∘e, made as it is read.
struct InteractionInput {
  const float *item, *pair;
  int width;

  GR_MEMBER InteractionInput(const gr_dense_args& args, int i)
      : item(args.in + (int64_t)(args.rows ? args.rows[i] : i) * args.ld_in),
        pair(args.pair + (int64_t)(args.pair_rows ? args.pair_rows[i] : i) * args.ld_pair),
        width(args.inner / 2) {}
  GR_MEMBER float operator()(int k) const { return k < width ? item[k] : pair[k - width] * item[k - width]; }
};

template <class Input, class Out> GR_DEVICE void dense(const gr_dense_args& args) {
  GR_SHARED(float, inputs, kDepth * kRow);   // [k][row]
  GR_SHARED(float, weights, kDepth * kRow);  // [k][column]
  const int thread = (int)threadIdx.x, row0 = (int)blockIdx.y * kSide, column0 = (int)blockIdx.x * kSide;
  const int ty = thread / 16, tx = thread % 16;
  float sums[4][4] = {};

  for (int k0 = 0; k0 < args.inner; k0 += kDepth) {
    // 1. 64 rows of both sides, 16 deep; past an edge there are zeros.
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = thread / 16 + i * 16, k = thread % 16;
      const bool deep = k0 + k < args.inner;
      inputs[k * kRow + row] = deep && row0 + row < args.count ? Input(args, row0 + row)(k0 + k) : 0.f;
      weights[k * kRow + row] = deep && column0 + row < args.columns ? args.weights[(int64_t)(column0 + row) * args.ld_weights + k0 + k] : 0.f;
    }
    __syncthreads();

    // 2. 16 rank-one updates.
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      const Four x = load_four(inputs + k * kRow + ty * 4), w = load_four(weights + k * kRow + tx * 4);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(x.v[i], w.v[j], sums[i][j]);
    }
    __syncthreads();
  }

  // 3. Bias, addend, activation.
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = row0 + ty * 4 + i;
    if (row >= args.count) continue;
    const float* addend = args.addend ? args.addend + (int64_t)(args.addend_rows ? args.addend_rows[row] : row) * args.ld_addend : nullptr;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = column0 + tx * 4 + j;
      if (column >= args.columns) continue;
      float y = sums[i][j];
      if (args.bias) y += args.bias[column];
      if (addend) y += addend[column];
      if (args.relu) y = fmaxf(y, 0.f);
      static_cast<Out*>(args.out)[(int64_t)row * args.ld_out + column] = round_held<Out>(y);
    }
  }
}

GR_KERNEL(gr_dense_f32, gr_dense_args, 256, 3) { dense<PlainInput, float>(args); }
GR_KERNEL(gr_dense_f16, gr_dense_args, 256, 3) { dense<PlainInput, gr_f16>(args); }
GR_KERNEL(gr_dense_interaction, gr_dense_args, 256, 3) { dense<InteractionInput, float>(args); }
}  // namespace dense
