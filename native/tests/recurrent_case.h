// One recurrent layer with random weights, its plain reference, and the launches that its kernels need.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>
#include "check.h"
#include "elements.h"
#include "exact_buffer.h"
#include "grpcrec/abi.h"
#include "layouts.h"

enum class Cell { Lstm, Gru, GruBefore };
enum class Path { Persistent, Step };

inline int gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : 3; }

/// A run of events of one slot.
struct Run {
  int slot, start, count;
};

template <class T> struct RecurrentCase {
  using Gate = typename GateOf<T>::type;

  Cell cell;
  int hidden, hp, gates, table_rows, behavior_rows, events, slots;
  std::vector<Matrix> recurrent;               // [G] of [H, H]
  std::vector<double> table, behavior_table;   // [rows][H][G]
  std::vector<double> reset_bias;              // [H]
  ExactBuffer<T> step, persistent;
  ExactBuffer<Gate> gate_buffer, behavior_buffer;
  ExactBuffer<float> bias_buffer;
  ExactBuffer<int> items, behaviors;
  std::vector<double> h, c;                    // [slots][H] the reference's state before
  double state_scale = 0.5;

  /// @param behavior_count 0: no behaviour table
  RecurrentCase(Cell k, int h_size, int rows, int behavior_count, int event_count, int slot_count, unsigned seed)
      : cell(k), hidden(h_size), hp(padded(h_size)), gates(gates_of(k)), table_rows(rows), behavior_rows(behavior_count), events(event_count), slots(slot_count) {
    Numbers numbers(seed);
    for (int g = 0; g < gates; ++g) {
      Matrix m(hidden, hidden);
      for (double& x : m.values) x = value_of(rounded<T>(numbers.real(1.5 / std::sqrt(hidden))));
      recurrent.push_back(m);
    }
    const auto fill = [&](std::vector<double>& to, size_t n, double scale) {
      to.resize(n);
      for (double& x : to) x = value_of(rounded<Gate>(numbers.real(scale)));
    };
    fill(table, (size_t)rows * hidden * gates, 1.5);
    fill(behavior_table, (size_t)behavior_count * hidden * gates, 0.5);
    reset_bias.resize(hidden);
    for (double& x : reset_bias) x = (float)numbers.real(0.5);
    step = ExactBuffer<T>(step_weights<T>(recurrent, cell == Cell::GruBefore));
    persistent = ExactBuffer<T>(persistent_weights<T>(recurrent));
    gate_buffer = ExactBuffer<Gate>(gate_rows<Gate>(table, rows, hidden, gates));
    if (behavior_count > 0) behavior_buffer = ExactBuffer<Gate>(gate_rows<Gate>(behavior_table, behavior_count, hidden, gates));
    std::vector<float> padded_bias(hp, 0.f);
    for (int i = 0; i < hidden; ++i) padded_bias[i] = (float)reset_bias[i];
    bias_buffer = ExactBuffer<float>(padded_bias);
    items = ExactBuffer<int>((size_t)events);
    behaviors = ExactBuffer<int>((size_t)events);
    for (int e = 0; e < events; ++e) {
      items[e] = numbers.below(rows);
      behaviors[e] = behavior_count > 0 ? numbers.below(behavior_count) : 0;
    }
    h.resize((size_t)slots * hidden);
    c.resize((size_t)slots * hidden);
    for (double& x : h) x = (float)numbers.real(state_scale);
    for (double& x : c) x = (float)numbers.real(state_scale);
  }

  /// The states as the device holds them: [slots, Hp].
  ExactBuffer<float> device_state(const std::vector<double>& state) const {
    ExactBuffer<float> out((size_t)slots * hp);
    for (int s = 0; s < slots; ++s)
      for (int u = 0; u < hp; ++u) out[(size_t)s * hp + u] = u < hidden ? (float)state[(size_t)s * hidden + u] : 0.f;
    return out;
  }

  /// Advances the runs on the kernels.
  /// @param hidden_events [events, Hp]; NULL only on the persistent path
  /// @param own_rows an event's gate row is its position
  void advance(Path path, const std::vector<Run>& runs, const ExactBuffer<float>& state_h, const ExactBuffer<float>& state_c, T* hidden_events, bool own_rows = false) const {
    std::vector<int> slot, start, count;
    for (const Run& run : runs) {
      slot.push_back(run.slot);
      start.push_back(run.start);
      count.push_back(run.count);
    }
    const ExactBuffer<int> slots_buffer(slot), starts(start), counts(count);
    const ExactBuffer<T> first(runs.size() * hp), reset(runs.size() * hp);
    const ExactBuffer<float> update(runs.size() * hp);
    gr_recurrent_args args{};
    args.weights = path == Path::Step ? step.data() : persistent.data();
    args.gate_rows = gate_buffer.data();
    args.behavior_rows = behavior_buffer.data();
    args.items = own_rows ? nullptr : items.data();
    args.behaviors = behavior_rows > 0 ? behaviors.data() : nullptr;
    args.slots = slots_buffer.data();
    args.starts = starts.data();
    args.counts = counts.data();
    args.state_h = state_h.data();
    args.state_c = cell == Cell::Lstm ? state_c.data() : nullptr;
    args.reset_bias = cell == Cell::Gru ? bias_buffer.data() : nullptr;
    args.hidden_events = hidden_events;
    args.runs = (int)runs.size();
    args.hidden = hp;
    const std::string element = name_of<T>;
    const unsigned n = (unsigned)runs.size();
    if (path == Path::Persistent) {
      const std::string stem = cell == Cell::Lstm ? "gr_lstm_persistent_" : cell == Cell::Gru ? "gr_gru_persistent_" : "gr_gru_before_persistent_";
      check_launch(simt::launch((stem + element + "_h" + std::to_string(hp)).c_str(), {(n + 7) / 8}, {2u * hp}, 0, &args));
      return;
    }
    args.hidden_first = first.data();
    args.reset_hidden = cell == Cell::GruBefore ? reset.data() : nullptr;
    args.update_gate = cell == Cell::GruBefore ? update.data() : nullptr;
    const gr_rows_args rows{state_h.data(), slots_buffer.data(), first.data(), (int)n, hp};
    check_launch(simt::launch(("gr_rows_" + element).c_str(), {(n * hp + 1023) / 1024}, {256}, 0, &rows));
    const simt::Dim3 grid{(unsigned)hp / 32, (n + 31) / 32};
    const int steps = count.empty() ? 0 : *std::max_element(count.begin(), count.end());
    for (args.step = 0; args.step < steps; ++args.step) {
      if (cell == Cell::Lstm) check_launch(simt::launch(("gr_lstm_step_" + element).c_str(), grid, {128}, 0, &args));
      if (cell == Cell::Gru) check_launch(simt::launch(("gr_gru_step_" + element).c_str(), grid, {96}, 0, &args));
      if (cell != Cell::GruBefore) continue;
      check_launch(simt::launch(("gr_gru_before_gates_" + element).c_str(), grid, {64}, 0, &args));
      check_launch(simt::launch(("gr_gru_before_candidate_" + element).c_str(), grid, {32}, 0, &args));
    }
  }

  /// The same in plain loops and double precision; h is rounded to T where the kernels' products read it.
  /// @param event_h [events][H] the hidden state after each event
  void reference(const std::vector<Run>& runs, std::vector<double>& state_h, std::vector<double>& state_c, std::vector<double>& event_h, bool own_rows = false) const {
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    std::vector<double> x(hidden), sums((size_t)hidden * gates), in((size_t)hidden * gates);
    for (const Run& run : runs) {
      double* hs = &state_h[(size_t)run.slot * hidden];
      double* cs = &state_c[(size_t)run.slot * hidden];
      for (int e = run.start; e < run.start + run.count; ++e) {
        const size_t row = own_rows ? e : items[e];
        for (size_t i = 0; i < in.size(); ++i) in[i] = table[row * in.size() + i] + (behavior_rows > 0 ? behavior_table[(size_t)behaviors[e] * in.size() + i] : 0);
        const auto product = [&](int gate) {
          for (int u = 0; u < hidden; ++u) {
            double sum = 0;
            for (int k = 0; k < hidden; ++k) sum += recurrent[gate].at(u, k) * x[k];
            sums[(size_t)u * gates + gate] = sum;
          }
        };
        for (int k = 0; k < hidden; ++k) x[k] = value_of(rounded<T>(hs[k]));
        for (int g = 0; g < gates; ++g) product(g);
        if (cell == Cell::GruBefore) {
          for (int k = 0; k < hidden; ++k) x[k] = value_of(rounded<T>(sigmoid(in[(size_t)k * 3] + sums[(size_t)k * 3]) * hs[k]));
          product(2);
        }
        for (int u = 0; u < hidden; ++u) {
          const double* i = &in[(size_t)u * gates];
          const double* s = &sums[(size_t)u * gates];
          if (cell == Cell::Lstm) {
            cs[u] = sigmoid(i[1] + s[1]) * cs[u] + sigmoid(i[0] + s[0]) * std::tanh(i[2] + s[2]);
            hs[u] = sigmoid(i[3] + s[3]) * std::tanh(cs[u]);
          } else {
            const double z = sigmoid(i[1] + s[1]);
            const double n = std::tanh(i[2] + (cell == Cell::Gru ? sigmoid(i[0] + s[0]) * (s[2] + reset_bias[u]) : s[2]));
            hs[u] = (1 - z) * n + z * hs[u];
          }
          event_h[(size_t)e * hidden + u] = hs[u];
        }
      }
    }
  }
};
