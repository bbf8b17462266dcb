// Weights in the orders that abi.h asks for, written as plainly as its words. The C# engine does the same at load.
#pragma once
#include <vector>
#include "elements.h"
#include "exact_buffer.h"

inline int padded(int n) { return (n + 63) / 64 * 64; }

/// A matrix [rows, columns] in double, its elements already values that T can hold.
struct Matrix {
  int rows = 0, columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(int r, int c) : rows(r), columns(c), values((size_t)r * c) {}
  double& at(int r, int c) { return values[(size_t)r * columns + c]; }
  double at(int r, int c) const { return values[(size_t)r * columns + c]; }
  /// Zero past the edges: what padding holds.
  double padded_at(int r, int c) const { return r < rows && c < columns ? at(r, c) : 0; }
};

/// Gates [G] of [H, K] as T [Hp/32][G][32][Kp], appended to `out`.
template <class T> void append_tiles(std::vector<T>& out, const std::vector<Matrix>& gates) {
  const int hp = padded(gates[0].rows), kp = padded(gates[0].columns);
  for (int tile = 0; tile < hp / 32; ++tile)
    for (const Matrix& gate : gates)
      for (int row = 0; row < 32; ++row)
        for (int k = 0; k < kp; ++k) out.push_back(rounded<T>(gate.padded_at(tile * 32 + row, k)));
}

/// Recurrent weights of the step kernels.
template <class T> std::vector<T> step_weights(const std::vector<Matrix>& gates, bool reset_before) {
  std::vector<T> out;
  if (reset_before) {
    append_tiles<T>(out, {gates[0], gates[1]});
    append_tiles<T>(out, {gates[2]});
  } else {
    append_tiles<T>(out, gates);
  }
  return out;
}

/// Recurrent weights of the persistent kernels: [Hp/16][G][Hp/16][32][8].
template <class T> std::vector<T> persistent_weights(const std::vector<Matrix>& gates) {
  const int hp = padded(gates[0].rows);
  std::vector<T> out;
  for (int warp = 0; warp < hp / 16; ++warp)
    for (const Matrix& gate : gates)
      for (int k = 0; k < hp / 16; ++k)
        for (int lane = 0; lane < 32; ++lane)
          for (int e = 0; e < 8; ++e)
            out.push_back(rounded<T>(gate.padded_at(16 * warp + lane / 4 + 8 * (e / 2 & 1), 16 * k + 2 * (lane % 4) + (e & 1) + 8 * (e / 4))));
  return out;
}

/// [rows][H][G] as [rows][Hp][4]; what is nobody's is zero.
template <class T> std::vector<T> gate_rows(const std::vector<double>& values, int rows, int hidden, int gates) {
  const int hp = padded(hidden);
  std::vector<T> out;
  for (int row = 0; row < rows; ++row)
    for (int unit = 0; unit < hp; ++unit)
      for (int gate = 0; gate < 4; ++gate)
        out.push_back(rounded<T>(unit < hidden && gate < gates ? values[((size_t)row * hidden + unit) * gates + gate] : 0));
  return out;
}
