// All steps of a chunk in one launch, for Hp = 64 and 128 and 16-bit elements. One block owns 8 runs from first event to last.
//
// The weights are the A operand and the runs are the 8 columns of B, so 8 runs fill a tensor-core tile. Warp w owns units
// 16w ... 16w+15 of every gate and keeps its [G·16, Hp] slice of the weights in registers for the whole chunk (128 of them a lane for
// an LSTM of 128). All gates of a pair (unit, run) end in the same lane: the cell's update needs no exchange. What warps
// exchange is h, rounded to T, double-buffered in shared memory: one barrier a step (reset before the product: two).
//
// Shared memory: 2 × [8 runs][Hp + 8] of T, 4,352 bytes at Hp = 128 (rows 16 bytes apart in banks: ldmatrix without conflicts).
// Bound by the chain of a step: products, activations, barrier. Gate rows of step t + 1 are fetched during step t.
// Grid ceil(runs / 8), block 2·Hp.
#include "grpcrec/gate_input.cuh"

#if GR_ARCH >= 750
namespace recurrent_persistent {
constexpr int kRuns = 8;

enum class Cell { Lstm, Gru, GruBefore };

template <class T> GR_DEVICE void multiply(float* sums, const unsigned (&a)[4], const unsigned (&b)[2]) {
#if GR_ARCH >= 750
  if constexpr (GateElement<T>::is_f16) gr_mma_f16(sums, a, b);
#endif
#if GR_ARCH >= 800
  if constexpr (!GateElement<T>::is_f16) gr_mma_bf16(sums, a, b);
#endif
}

/// One gate's slice of the weights in a lane's registers: 16 units × Hp.
template <class T, int Hp> struct GateWeights {
  unsigned fragments[Hp / 16][4];

  GR_MEMBER void load(const void* weights, int index) {
    const uint4* from = static_cast<const uint4*>(weights) + (int64_t)index * (Hp / 16) * 32 + lane_id();
#pragma unroll
    for (int k = 0; k < Hp / 16; ++k) {
      const uint4 q = from[k * 32];
      fragments[k][0] = q.x;
      fragments[k][1] = q.y;
      fragments[k][2] = q.z;
      fragments[k][3] = q.w;
    }
  }
};

/// sums[g] += weights[g]·h for gates [First, First + Count). h: [8][Hp + 8] in shared memory.
template <class T, int Hp, int First, int Count, int G>
GR_DEVICE void add_products(float (&sums)[G][4], const GateWeights<T, Hp> (&weights)[G], const T* h) {
  const T* row = h + (lane_id() & 7) * (Hp + 8) + (lane_id() >> 3) * 8;
#pragma unroll
  for (int k = 0; k < Hp / 16; k += 2) {
    unsigned b[4];
    gr_ldmatrix4(b, row + k * 16);
    const unsigned first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
#pragma unroll
    for (int g = First; g < First + Count; ++g) {
      multiply<T>(sums[g], weights[g].fragments[k], first);
      multiply<T>(sums[g], weights[g].fragments[k + 1], second);
    }
  }
}

template <Cell C, class T, int Hp> GR_DEVICE void run_chunk(const gr_recurrent_args& args) {
  constexpr int G = C == Cell::Lstm ? 4 : 3, kRow = Hp + 8;
  GR_SHARED(T, shared_h, 2 * kRuns * kRow);
  GR_SHARED(T, shared_reset, C == Cell::GruBefore ? kRuns * kRow : 1);
  const int lane = lane_id(), warp = warp_id(), first_run = (int)blockIdx.x * kRuns;
  // A lane's four pairs: element e is unit `unit + 8·(e / 2)` of run `column + e % 2`, the place of mma's sums.
  const int unit = warp * 16 + (lane >> 2), column = (lane & 3) * 2;

  // 1. Weights into registers, the runs' bounds, the state into registers and its rounded copy into shared memory.
  GateWeights<T, Hp> weights[G];
#pragma unroll
  for (int g = 0; g < G; ++g) weights[g].load(args.weights, warp * G + g);
  int count[2], start[2], slot[2];
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const int run = first_run + column + j;
    const bool there = run < args.runs;
    count[j] = there ? args.counts[run] : 0;
    start[j] = there ? args.starts[run] : 0;
    slot[j] = there ? args.slots[run] : -1;
  }
  int steps = 0;
#pragma unroll
  for (int i = 0; i < kRuns; ++i)
    if (first_run + i < args.runs) steps = max(steps, args.counts[first_run + i]);
  float h[4], c[4], reset_bias[2];
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const int64_t at = (int64_t)slot[e & 1] * Hp + unit + (e >> 1) * 8;
    h[e] = slot[e & 1] >= 0 ? args.state_h[at] : 0.f;
    c[e] = C == Cell::Lstm && slot[e & 1] >= 0 ? args.state_c[at] : 0.f;
    shared_h[(column + (e & 1)) * kRow + unit + (e >> 1) * 8] = round_to<T>(h[e]);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) reset_bias[i] = C == Cell::Gru ? args.reset_bias[unit + i * 8] : 0.f;
  const Four none = {{0.f, 0.f, 0.f, 0.f}};
  Four x[4];
  const auto fetch = [&](int step) {
#pragma unroll
    for (int e = 0; e < 4; ++e) x[e] = step < count[e & 1] ? gate_input<T>(args, start[e & 1] + step, unit + (e >> 1) * 8, Hp) : none;
  };
  fetch(0);
  __syncthreads();

  for (int step = 0; step < steps; ++step) {
    // 2. Sums begin at the input's part; a GRU's candidate keeps the two parts apart.
    float sums[G][4], candidate[4];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
#pragma unroll
      for (int g = 0; g < G; ++g) sums[g][e] = x[e].v[g];
      if (C == Cell::Gru) {
        candidate[e] = x[e].v[2];
        sums[2][e] = reset_bias[e >> 1];
      }
    }
    fetch(step + 1);  // in flight while the tensor cores work

    // 3. Recurrent products.
    const T* now = shared_h + (step & 1) * kRuns * kRow;
    T* next = shared_h + ((step + 1) & 1) * kRuns * kRow;
    if (C == Cell::GruBefore) {
      add_products<T, Hp, 0, 2>(sums, weights, now);
#pragma unroll
      for (int e = 0; e < 4; ++e)
        shared_reset[(column + (e & 1)) * kRow + unit + (e >> 1) * 8] = round_to<T>(sigmoid_of<T>(sums[0][e]) * h[e]);
      __syncthreads();
      add_products<T, Hp, 2, 1>(sums, weights, shared_reset);
    } else {
      add_products<T, Hp, 0, G>(sums, weights, now);
    }

    // 4. Cells. A run that is done keeps its state.
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int j = e & 1;
      if (step < count[j]) {
        if constexpr (C == Cell::Lstm) {
          h[e] = lstm_cell<T>(sums[0][e], sums[1][e], sums[2][e], sums[G - 1][e], c[e]);
        } else {
          const float n = C == Cell::Gru ? fmaf(sigmoid_of<T>(sums[0][e]), sums[2][e], candidate[e]) : sums[2][e];
          h[e] = gru_mix(sigmoid_of<T>(sums[1][e]), tanh_of<T>(n), h[e]);
        }
        if (args.hidden_events)
          static_cast<T*>(args.hidden_events)[(int64_t)(start[j] + step) * Hp + unit + (e >> 1) * 8] = round_to<T>(h[e]);
      }
      next[(column + j) * kRow + unit + (e >> 1) * 8] = round_to<T>(h[e]);
    }
    __syncthreads();
  }

  // 5. The state goes back to its slot.
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    if (slot[e & 1] < 0) continue;
    const int64_t at = (int64_t)slot[e & 1] * Hp + unit + (e >> 1) * 8;
    args.state_h[at] = h[e];
    if (C == Cell::Lstm) args.state_c[at] = c[e];
  }
}

#define GR_PERSISTENT_KERNELS(element, T, Hp) \
  GR_KERNEL(gr_lstm_persistent_##element##_h##Hp, gr_recurrent_args, Hp * 2, 1) { run_chunk<Cell::Lstm, T, Hp>(args); } \
  GR_KERNEL(gr_gru_persistent_##element##_h##Hp, gr_recurrent_args, Hp * 2, 1) { run_chunk<Cell::Gru, T, Hp>(args); } \
  GR_KERNEL(gr_gru_before_persistent_##element##_h##Hp, gr_recurrent_args, Hp * 2, 1) { run_chunk<Cell::GruBefore, T, Hp>(args); }

GR_PERSISTENT_KERNELS(f16, gr_f16, 64)
GR_PERSISTENT_KERNELS(f16, gr_f16, 128)
#if GR_ARCH >= 800
GR_PERSISTENT_KERNELS(bf16, gr_bf16, 64)
GR_PERSISTENT_KERNELS(bf16, gr_bf16, 128)
#endif
}  // namespace recurrent_persistent
#endif
