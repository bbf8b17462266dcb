// One step of a recurrent layer for any width and element: product with the recurrent weights, gates, activation and state in one launch.
// Grid (Hp/32, runs/32): a block owns 32 units of 32 runs, all gates of them, so the product stays in shared memory. Bound by reading
// the weights from the second-level cache, 32·G rows for each block; by launches at small batches (a CUDA graph holds a chunk's).
// Shared memory: gate_product's stages, 46,080 bytes at four gates. Registers: 32 sums a lane and the fragments.
#include "grpcrec/gate_input.cuh"
#include "grpcrec/tile_product.cuh"

namespace recurrent_step {
constexpr int kRuns = 32;  // runs of a block
constexpr int kGroups = kRuns / 8;

/// A block's place: which units, which runs, and where each run's last hidden state lies.
template <class T> struct StepTile {
  const T* inputs;  // hidden_first or hidden_events
  int* rows;        // [32] shared: row of inputs, -1 where the run has no event at this step

  GR_MEMBER StepTile(const gr_recurrent_args& args, int* shared) : rows(shared) {
    inputs = static_cast<const T*>(args.step == 0 ? args.hidden_first : args.hidden_events);
    if (threadIdx.x < kRuns) {
      const int run = first_run() + (int)threadIdx.x;
      const bool active = run < args.runs && args.step < args.counts[run];
      rows[threadIdx.x] = !active ? -1 : args.step == 0 ? run : args.starts[run] + args.step - 1;
    }
    __syncthreads();
  }

  GR_MEMBER static int first_run() { return (int)blockIdx.y * kRuns; }
  GR_MEMBER static int first_unit() { return (int)blockIdx.x * 32; }
};

/// Calls `update(run, event, unit, column, row)` for the block's pairs of unit and active run; a warp takes 32 units side by side.
template <class Update> GR_DEVICE void each_pair(const gr_recurrent_args& args, const int* rows, Update update) {
  const int lane = lane_id();
  for (int column = warp_id(); column < kRuns; column += (int)blockDim.x >> 5) {
    if (rows[column] < 0) continue;
    const int run = (int)blockIdx.y * kRuns + column;
    update(run, args.starts[run] + args.step, (int)blockIdx.x * 32 + lane, column, lane);
  }
}

template <class T> GR_DEVICE void lstm_step(const gr_recurrent_args& args) {
  GR_SHARED(unsigned char, memory, (kProductBytes<4, kGroups>));
  GR_SHARED(int, rows, kRuns);
  const StepTile<T> tile(args, rows);
  const int hidden = args.hidden;
  const T* weights = static_cast<const T*>(args.weights) + (int64_t)blockIdx.x * 128 * hidden;
  const float* c = gate_product<T, 4, kGroups>(memory, weights, tile.inputs, rows, hidden);
  each_pair(args, rows, [&](int run, int event, int unit, int column, int row) {
    const Four x = gate_input<T>(args, event, unit, hidden);
    float z[4];
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) z[gate] = x.v[gate] + c[(gate * kRuns + column) * kColumn + row];
    const int64_t at = (int64_t)args.slots[run] * hidden + unit;
    float cell = args.state_c[at];
    const float h = lstm_cell<T>(z[0], z[1], z[2], z[3], cell);
    args.state_c[at] = cell;
    args.state_h[at] = h;
    static_cast<T*>(args.hidden_events)[(int64_t)event * hidden + unit] = round_to<T>(h);
  });
}

template <class T> GR_DEVICE void gru_step(const gr_recurrent_args& args) {
  GR_SHARED(unsigned char, memory, (kProductBytes<3, kGroups>));
  GR_SHARED(int, rows, kRuns);
  const StepTile<T> tile(args, rows);
  const int hidden = args.hidden;
  const T* weights = static_cast<const T*>(args.weights) + (int64_t)blockIdx.x * 96 * hidden;
  const float* c = gate_product<T, 3, kGroups>(memory, weights, tile.inputs, rows, hidden);
  each_pair(args, rows, [&](int run, int event, int unit, int column, int row) {
    const Four x = gate_input<T>(args, event, unit, hidden);
    const float* sums = c + column * kColumn + row;
    const float r = sigmoid_of<T>(x.v[0] + sums[0]);
    const float z = sigmoid_of<T>(x.v[1] + sums[kRuns * kColumn]);
    const float n = tanh_of<T>(fmaf(r, sums[2 * kRuns * kColumn] + args.reset_bias[unit], x.v[2]));
    const int64_t at = (int64_t)args.slots[run] * hidden + unit;
    const float h = gru_mix(z, n, args.state_h[at]);
    args.state_h[at] = h;
    static_cast<T*>(args.hidden_events)[(int64_t)event * hidden + unit] = round_to<T>(h);
  });
}

/// First half with the reset before the product: r∘h and z.
template <class T> GR_DEVICE void gru_before_gates(const gr_recurrent_args& args) {
  GR_SHARED(unsigned char, memory, (kProductBytes<2, kGroups>));
  GR_SHARED(int, rows, kRuns);
  const StepTile<T> tile(args, rows);
  const int hidden = args.hidden;
  const T* weights = static_cast<const T*>(args.weights) + (int64_t)blockIdx.x * 64 * hidden;
  const float* c = gate_product<T, 2, kGroups>(memory, weights, tile.inputs, rows, hidden);
  each_pair(args, rows, [&](int run, int event, int unit, int column, int row) {
    const Four x = gate_input<T>(args, event, unit, hidden);
    const float* sums = c + column * kColumn + row;
    const float r = sigmoid_of<T>(x.v[0] + sums[0]);
    const int64_t at = (int64_t)run * hidden + unit;
    static_cast<T*>(args.reset_hidden)[at] = round_to<T>(r * args.state_h[(int64_t)args.slots[run] * hidden + unit]);
    args.update_gate[at] = sigmoid_of<T>(x.v[1] + sums[kRuns * kColumn]);
  });
}

/// Second half: the candidate from U·(r∘h), and the state.
template <class T> GR_DEVICE void gru_before_candidate(const gr_recurrent_args& args) {
  GR_SHARED(unsigned char, memory, (kProductBytes<1, kGroups>));
  GR_SHARED(int, rows, kRuns);
  if (threadIdx.x < kRuns) {
    const int run = (int)blockIdx.y * kRuns + (int)threadIdx.x;
    rows[threadIdx.x] = run < args.runs && args.step < args.counts[run] ? run : -1;
  }
  __syncthreads();
  const int hidden = args.hidden;
  const T* weights = static_cast<const T*>(args.weights) + (int64_t)2 * hidden * hidden + (int64_t)blockIdx.x * 32 * hidden;
  const float* c = gate_product<T, 1, kGroups>(memory, weights, static_cast<const T*>(args.reset_hidden), rows, hidden);
  each_pair(args, rows, [&](int run, int event, int unit, int column, int row) {
    const Four x = gate_input<T>(args, event, unit, hidden);
    const float n = tanh_of<T>(x.v[2] + c[column * kColumn + row]);
    const int64_t at = (int64_t)args.slots[run] * hidden + unit;
    const float h = gru_mix(args.update_gate[(int64_t)run * hidden + unit], n, args.state_h[at]);
    args.state_h[at] = h;
    static_cast<T*>(args.hidden_events)[(int64_t)event * hidden + unit] = round_to<T>(h);
  });
}

/// Input projections of a layer above the first.
template <class T, int G> GR_DEVICE void project(const gr_project_args& args) {
  using Row = typename GateElement<T>::type;
  GR_SHARED(unsigned char, memory, (kProductBytes<G, kGroups>));
  GR_SHARED(int, rows, kRuns);
  const int first = (int)blockIdx.y * kRuns;
  if (threadIdx.x < kRuns) rows[threadIdx.x] = first + (int)threadIdx.x < args.rows ? first + (int)threadIdx.x : -1;
  __syncthreads();
  const T* weights = static_cast<const T*>(args.weights) + (int64_t)blockIdx.x * G * 32 * args.inner;
  const float* c = gate_product<T, G, kGroups>(memory, weights, static_cast<const T*>(args.input), rows, args.inner);
  const int lane = lane_id(), unit = (int)blockIdx.x * 32 + lane;
  const Four bias = load_four(args.bias + (int64_t)unit * 4);
  for (int column = warp_id(); column < kRuns; column += (int)blockDim.x >> 5) {
    if (rows[column] < 0) continue;
    Four x;
#pragma unroll
    for (int gate = 0; gate < 4; ++gate) x.v[gate] = gate < G ? c[(gate * kRuns + column) * kColumn + lane] + bias.v[gate] : 0.f;
    store_four(static_cast<Row*>(args.out) + ((int64_t)(first + column) * args.hidden + unit) * 4, x);
  }
}

#define GR_STEP_KERNELS(element, T) \
  GR_KERNEL(gr_lstm_step_##element, gr_recurrent_args, 128, 3) { lstm_step<T>(args); } \
  GR_KERNEL(gr_gru_step_##element, gr_recurrent_args, 96, 3) { gru_step<T>(args); } \
  GR_KERNEL(gr_gru_before_gates_##element, gr_recurrent_args, 64, 3) { gru_before_gates<T>(args); } \
  GR_KERNEL(gr_gru_before_candidate_##element, gr_recurrent_args, 32, 3) { gru_before_candidate<T>(args); } \
  GR_KERNEL(gr_project_lstm_##element, gr_project_args, 128, 3) { project<T, 4>(args); } \
  GR_KERNEL(gr_project_gru_##element, gr_project_args, 96, 3) { project<T, 3>(args); }

GR_STEP_KERNELS(f16, gr_f16)
GR_STEP_KERNELS(f32, float)
#if GR_ARCH >= 800
GR_STEP_KERNELS(bf16, gr_bf16)
#endif
}  // namespace recurrent_step
