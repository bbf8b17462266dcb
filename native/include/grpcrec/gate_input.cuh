// The part of a unit's gates that does not depend on the state: the item's row plus the behaviour's, in float32.
#pragma once
#include "grpcrec/device.cuh"

/// @param event position in items and behaviors
/// @param hidden Hp, width of a row in units
template <class T> GR_DEVICE Four gate_input(const gr_recurrent_args& args, int event, int unit, int hidden) {
  using Row = typename GateElement<T>::type;
  const int item = args.items ? args.items[event] : event;
  Four x = load_four(static_cast<const Row*>(args.gate_rows) + ((int64_t)item * hidden + unit) * 4);
  if (args.behavior_rows) {
    const Four y = load_four(static_cast<const Row*>(args.behavior_rows) + ((int64_t)args.behaviors[event] * hidden + unit) * 4);
#pragma unroll
    for (int i = 0; i < 4; ++i) x.v[i] += y.v[i];
  }
  return x;
}

/// Hochreiter & Schmidhuber's cell with a forget gate: gates i, f, g, o before activation.
/// @param c the cell, advanced
/// @return h'
template <class T> GR_DEVICE float lstm_cell(float i, float f, float g, float o, float& c) {
  c = fmaf(sigmoid_of<T>(f), c, sigmoid_of<T>(i) * tanh_of<T>(g));
  return sigmoid_of<T>(o) * tanh_of<T>(c);
}

/// h' = (1 - z)∘n + z∘h.
GR_DEVICE float gru_mix(float z, float n, float h) { return fmaf(z, h - n, n); }
