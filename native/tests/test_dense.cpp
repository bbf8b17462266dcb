// Dense layers, gathers, pairs and the queries' rounding.
#include <algorithm>
#include "check.h"
#include "elements.h"
#include "exact_buffer.h"
#include "grpcrec/abi.h"
#include "simt.h"

namespace {

ExactBuffer<float> random_floats(Numbers& numbers, size_t count, double scale) {
  ExactBuffer<float> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = (float)numbers.real(scale);
  return out;
}

ExactBuffer<int> random_rows(Numbers& numbers, int count, int below) {
  ExactBuffer<int> out((size_t)count);
  for (int i = 0; i < count; ++i) out[i] = numbers.below(below);
  return out;
}

struct Shape {
  int count, columns, inner;
};

/// Everything optional is on when `all`, and leading dimensions are wider than rows.
void dense_matches(Shape shape, bool all, bool half) {
  Numbers numbers(3);
  const int source = shape.count + 4, pad = all ? 3 : 0;
  const ExactBuffer<float> in = random_floats(numbers, (size_t)(source - 1) * (shape.inner + pad) + shape.inner, 1);
  const ExactBuffer<float> weights = random_floats(numbers, (size_t)(shape.columns - 1) * (shape.inner + pad) + shape.inner, 1);
  const ExactBuffer<float> bias = random_floats(numbers, shape.columns, half ? 2e5 : 1);
  const ExactBuffer<float> addend = random_floats(numbers, (size_t)(source - 1) * (shape.columns + pad) + shape.columns, 1);
  const ExactBuffer<int> rows = random_rows(numbers, shape.count, source), addend_rows = random_rows(numbers, shape.count, source);
  const int ld_out = shape.columns + pad;
  const size_t out_size = (size_t)(shape.count - 1) * ld_out + shape.columns;
  const ExactBuffer<float> out(half ? 0 : out_size);
  const ExactBuffer<F16> out_half(half ? out_size : 0);
  gr_dense_args args{};
  args.in = in.data();
  args.weights = weights.data();
  args.out = half ? (void*)out_half.data() : out.data();
  args.count = shape.count;
  args.columns = shape.columns;
  args.inner = shape.inner;
  args.ld_in = args.ld_weights = shape.inner + pad;
  args.ld_addend = shape.columns + pad;
  args.ld_out = ld_out;
  if (all) {
    args.rows = rows.data();
    args.bias = bias.data();
    args.addend = addend.data();
    args.addend_rows = addend_rows.data();
    args.relu = !half;
  }
  check_launch(simt::launch(half ? "gr_dense_f16" : "gr_dense_f32", {((unsigned)shape.columns + 63) / 64, ((unsigned)shape.count + 63) / 64}, {256}, 0, &args));
  for (int i = 0; i < shape.count; ++i)
    for (int m = 0; m < shape.columns; ++m) {
      double due = 0;
      for (int k = 0; k < shape.inner; ++k) due += (double)in[(size_t)(all ? rows[i] : i) * args.ld_in + k] * weights[(size_t)m * args.ld_weights + k];
      if (all) due += (double)bias[m] + addend[(size_t)addend_rows[i] * args.ld_addend + m];
      if (args.relu) due = std::max(due, 0.);
      if (half) due = std::clamp(due, -65504., 65504.);
      const size_t at = (size_t)i * ld_out + m;
      check_close(half ? value_of(out_half[at]) : out[at], due, (half ? 6e-4 : 3e-6) * (std::fabs(due) + std::sqrt(shape.inner)), "out", at);
    }
}

void interaction_matches(int count, int columns, int width) {
  Numbers numbers(9);
  const int items = 12, queries = 5;
  const ExactBuffer<float> in = random_floats(numbers, (size_t)items * width, 1), pair = random_floats(numbers, (size_t)queries * width, 1);
  const ExactBuffer<float> weights = random_floats(numbers, (size_t)columns * 2 * width, 1), addend = random_floats(numbers, (size_t)queries * columns, 1);
  const ExactBuffer<int> rows = random_rows(numbers, count, items), pair_rows = random_rows(numbers, count, queries);
  const ExactBuffer<float> out((size_t)count * columns);
  gr_dense_args args{};
  args.in = in.data();
  args.rows = rows.data();
  args.weights = weights.data();
  args.addend = addend.data();
  args.addend_rows = pair_rows.data();
  args.pair = pair.data();
  args.pair_rows = pair_rows.data();
  args.out = out.data();
  args.count = count;
  args.columns = args.ld_addend = args.ld_out = columns;
  args.inner = args.ld_weights = 2 * width;
  args.ld_in = args.ld_pair = width;
  args.relu = 1;
  check_launch(simt::launch("gr_dense_interaction", {((unsigned)columns + 63) / 64, ((unsigned)count + 63) / 64}, {256}, 0, &args));
  for (int i = 0; i < count; ++i)
    for (int m = 0; m < columns; ++m) {
      double due = addend[(size_t)pair_rows[i] * columns + m];
      for (int k = 0; k < width; ++k) {
        const double e = in[(size_t)rows[i] * width + k], p = pair[(size_t)pair_rows[i] * width + k];
        due += weights[(size_t)m * 2 * width + k] * e + weights[(size_t)m * 2 * width + width + k] * p * e;
      }
      check_close(out[(size_t)i * columns + m], std::max(due, 0.), 3e-6 * (1 + width), "out", (size_t)i * columns + m);
    }
}

/// A row's bits do not depend on the rows beside it.
void dense_same_bits() {
  Numbers numbers(4);
  const int count = 70, columns = 9, inner = 37;
  const ExactBuffer<float> in = random_floats(numbers, (size_t)count * inner, 1), weights = random_floats(numbers, (size_t)columns * inner, 1);
  const ExactBuffer<float> together((size_t)count * columns), alone((size_t)count * columns);
  gr_dense_args args{};
  args.weights = weights.data();
  args.columns = args.ld_out = columns;
  args.inner = args.ld_in = args.ld_weights = inner;
  args.in = in.data();
  args.out = together.data();
  args.count = count;
  check_launch(simt::launch("gr_dense_f32", {1, 2}, {256}, 0, &args));
  args.count = 1;
  for (int i = 0; i < count; ++i) {
    args.in = in.data() + (size_t)i * inner;
    args.out = alone.data() + (size_t)i * columns;
    check_launch(simt::launch("gr_dense_f32", {1, 1}, {256}, 0, &args));
  }
  if (!together.same_bits(alone)) fail_test("a row alone differs from the same row in company");
}

template <class T> void rows_match(int count, int width, bool gathered) {
  Numbers numbers(6);
  const int source = count + 2;
  const ExactBuffer<float> in = random_floats(numbers, (size_t)source * width, 2);
  in[0] = 1e6f;
  const ExactBuffer<int> rows = random_rows(numbers, count, source);
  rows[0] = 0;
  const ExactBuffer<T> out((size_t)count * width);
  const gr_rows_args args{in.data(), gathered ? rows.data() : nullptr, out.data(), count, width};
  check_launch(simt::launch((std::string("gr_rows_") + name_of<T>).c_str(), {((unsigned)count * width + 1023) / 1024}, {256}, 0, &args));
  for (int i = 0; i < count; ++i)
    for (int k = 0; k < width; ++k) {
      const float from = in[(size_t)(gathered ? rows[i] : i) * width + k];
      const double due = value_of(rounded<T>(std::is_same_v<T, F16> ? std::min(from, 65504.f) : from));
      check_close(value_of(out[(size_t)i * width + k]), due, 0, "out", (size_t)i * width + k);
    }
}

void queries_round(int count, int width) {
  Numbers numbers(8);
  const ExactBuffer<float> queries = random_floats(numbers, (size_t)count * width, 1);
  const double sizes[] = {0, 1, 1e7, 1e-30, 1e37, 1e-3};
  for (int q = 0; q < count; ++q)
    for (int k = 0; k < width; ++k) queries[(size_t)q * width + k] *= (float)sizes[q % 6];
  const ExactBuffer<F16> out((size_t)count * width);
  const ExactBuffer<float> scales((size_t)count);
  const gr_query_args args{queries.data(), out.data(), scales.data(), width, count};
  check_launch(simt::launch("gr_query_round", {(unsigned)count}, {128}, 0, &args));
  for (int q = 0; q < count; ++q) {
    double largest = 0, most = 0;
    for (int k = 0; k < width; ++k) {
      const double from = queries[(size_t)q * width + k], to = value_of(out[(size_t)q * width + k]);
      largest = std::max(largest, std::fabs(from));
      most = std::max(most, std::fabs(to));
      check_close(to * scales[q], from, std::fabs(from) * 0x1p-11 + scales[q] * 0x1p-25, "query", (size_t)q * width + k);
    }
    if (largest > 0 && !(most >= 1 && most <= 2)) fail_test("query %d is scaled to %g", q, most);
    if (largest == 0 && scales[q] != 1) fail_test("a query of zeros has scale %g", scales[q]);
  }
}

void pairs_match(int count, int inner, bool biased) {
  Numbers numbers(12);
  const int queries = 3, items = 7, ld = inner + 5;
  const ExactBuffer<float> q = random_floats(numbers, (size_t)(queries - 1) * ld + inner, 1), e = random_floats(numbers, (size_t)(items - 1) * ld + inner, 1), bias = random_floats(numbers, items, 1);
  const ExactBuffer<int> query_rows = random_rows(numbers, count, queries), item_rows = random_rows(numbers, count, items);
  const ExactBuffer<float> out((size_t)(count - 1) * 2 + 1);
  const gr_pair_args args{q.data(), query_rows.data(), e.data(), item_rows.data(), biased ? bias.data() : nullptr, out.data(), count, inner, ld, ld, 2, 0};
  check_launch(simt::launch("gr_pair_dot", {((unsigned)count + 7) / 8}, {256}, 0, &args));
  for (int i = 0; i < count; ++i) {
    double due = biased ? bias[item_rows[i]] : 0;
    for (int k = 0; k < inner; ++k) due += (double)q[(size_t)query_rows[i] * ld + k] * e[(size_t)item_rows[i] * ld + k];
    check_close(out[(size_t)i * 2], due, 1e-5, "out", i);
  }
}

}  // namespace

void add_dense_tests() {
  for (const Shape shape : {Shape{1, 1, 1}, Shape{64, 64, 16}, Shape{65, 70, 33}, Shape{3, 129, 130}}) {
    const std::string size = std::to_string(shape.count) + "x" + std::to_string(shape.columns) + "x" + std::to_string(shape.inner);
    add_test("Dense_" + size + "_MatchesReference", shape.count < 65, [=] { dense_matches(shape, false, false); });
    add_test("Dense_" + size + "_RowsBiasAddendRelu_MatchesReference", false, [=] { dense_matches(shape, true, false); });
    add_test("Dense_" + size + "_Half_HeldAtLargest", false, [=] { dense_matches(shape, true, true); });
  }
  add_test("Dense_SameBitsAloneAndInCompany", false, [] { dense_same_bits(); });
  add_test("DenseInteraction_MatchesReference", true, [] { interaction_matches(9, 5, 6); });
  add_test("DenseInteraction_PastTiles_MatchesReference", false, [] { interaction_matches(66, 65, 33); });
  add_test("Rows_f16_Gathered_Rounded", true, [] { rows_match<F16>(5, 64, true); });
  add_test("Rows_f16_InPlace_Rounded", false, [] { rows_match<F16>(17, 64, false); });
  add_test("Rows_bf16_Gathered_Rounded", false, [] { rows_match<Bf16>(5, 68, true); });
  add_test("Rows_f32_Gathered_Copied", false, [] { rows_match<float>(33, 128, true); });
  add_test("QueryRound_Sizes_ScaledAndRounded", true, [] { queries_round(7, 64); });
  add_test("QueryRound_Wide_ScaledAndRounded", false, [] { queries_round(6, 320); });
  add_test("PairDot_Bias_MatchesReference", true, [] { pairs_match(9, 50, true); });
  add_test("PairDot_NoBias_MatchesReference", false, [] { pairs_match(17, 128, false); });
}
