// Scan and merge against sorting everything: order, ties, filters, exclusions, short catalogues, and when the certificate may be given.
#include <algorithm>
#include <cstdint>
#include "check.h"
#include "elements.h"
#include "exact_buffer.h"
#include "grpcrec/abi.h"
#include "layouts.h"
#include "simt.h"

namespace {

constexpr float kNothing = -INFINITY;

struct RankSetup {
  int catalog, embedding, queries, list, k, slices;
  bool masks = false, exclusions = false, bias = false;
  double item_spread = 1;  // small: scores closer together than f16 tells apart
  int copies = 1;          // each row stands so many times: ties
  double item_scale = 1, query_scale = 1;
};

struct Entry {
  double score;
  int item;
};

/// A random catalogue, and what the kernels make of it.
struct RankCase {
  RankSetup setup;
  int width, words;
  ExactBuffer<float> items, queries, bias;
  ExactBuffer<F16> half_items;
  ExactBuffer<uint32_t> masks;
  ExactBuffer<int> mask_rows, excluded, excluded_starts;
  ExactBuffer<float> top_scores;
  ExactBuffer<int> top_items, certified;

  explicit RankCase(const RankSetup& s) : setup(s), width(padded(s.embedding)), words((s.catalog + 31) / 32) {
    Numbers numbers(41);
    items = ExactBuffer<float>((size_t)s.catalog * width);
    half_items = ExactBuffer<F16>((size_t)s.catalog * width);
    std::vector<float> base(width);
    for (float& x : base) x = (float)numbers.real(1);
    for (int v = 0; v < s.catalog; ++v)
      for (int k = 0; k < width; ++k) {
        const size_t at = (size_t)v * width + k;
        if (k >= s.embedding) items[at] = 0;
        else if (v % s.copies != 0) items[at] = items[at - width];
        else items[at] = s.item_spread < 1 ? base[k] * (float)(1 + numbers.real(s.item_spread)) : (float)numbers.real(s.item_scale);
      }
    queries = ExactBuffer<float>((size_t)s.queries * width);
    for (int q = 0; q < s.queries; ++q)
      for (int k = 0; k < width; ++k) queries[(size_t)q * width + k] = k < s.embedding ? (float)numbers.real((q % 3 == 2 ? 1e5 : 2) * s.query_scale) : 0.f;
    bias = ExactBuffer<float>(s.bias ? (size_t)s.catalog : 0);
    Numbers bias_numbers(42);  // of its own: the same whatever the number of queries
    for (size_t v = 0; v < bias.size(); ++v) bias[v] = (float)bias_numbers.real(1);
    if (s.masks) {
      masks = ExactBuffer<uint32_t>((size_t)2 * words);
      for (int w = 0; w < 2 * words; ++w) masks[w] = (uint32_t)numbers.below(0x7fffffff) & (w < words ? ~0u : 0x11u);
      mask_rows = ExactBuffer<int>((size_t)s.queries);
      for (int q = 0; q < s.queries; ++q) mask_rows[q] = q % 3 - 1;
    }
    if (s.exclusions) {
      std::vector<int> ids, starts{0};
      for (int q = 0; q < s.queries; ++q) {
        // Of every fourth query the best item is excluded and the last of its list; every fourth has no list.
        const int best = q % 4 == 0 ? best_item(q) : -1;
        for (int v = 0; v < s.catalog; ++v)
          if (v == best || (q % 4 != 1 && (best < 0 || v < best) && numbers.below(4) == 0)) ids.push_back(v);
        starts.push_back((int)ids.size());
      }
      excluded = ExactBuffer<int>(ids);
      excluded_starts = ExactBuffer<int>(starts);
    }
  }

  bool allows(int query, int item) const {
    if (setup.masks && mask_rows[query] >= 0 && !(masks[(size_t)mask_rows[query] * words + item / 32] >> (item % 32) & 1)) return false;
    if (!setup.exclusions) return true;
    return !std::binary_search(excluded.data() + excluded_starts[query], excluded.data() + excluded_starts[query + 1], item);
  }

  int best_item(int query) const {
    int best = 0;
    for (int v = 1; v < setup.catalog; ++v)
      if (score(query, v) > score(query, best)) best = v;
    return best;
  }

  /// All allowed items, best first.
  std::vector<Entry> sorted(int query) const {
    std::vector<Entry> all;
    for (int v = 0; v < setup.catalog; ++v) {
      if (!allows(query, v)) continue;
      double score = setup.bias ? bias[v] : 0;
      for (int k = 0; k < width; ++k) score += (double)queries[(size_t)query * width + k] * items[(size_t)v * width + k];
      all.push_back({score, v});
    }
    std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.score > b.score || (a.score == b.score && a.item < b.item); });
    return all;
  }

  /// The double nearest to a query's score of an item.
  double score(int query, int item) const {
    double sum = setup.bias ? bias[item] : 0;
    for (int k = 0; k < width; ++k) sum += (double)queries[(size_t)query * width + k] * items[(size_t)item * width + k];
    return sum;
  }

  double norm(const float* row) const {
    double sum = 0;
    for (int k = 0; k < width; ++k) sum += (double)row[k] * row[k];
    return std::sqrt(sum);
  }

  double max_norm() const {
    double most = 0;
    for (int v = 0; v < setup.catalog; ++v) most = std::max(most, norm(items.data() + (size_t)v * width));
    return most;
  }

  void run(bool half, int per_block) {
    const RankSetup& s = setup;
    const ExactBuffer<F16> half_queries(half ? (size_t)s.queries * width : 0);
    const ExactBuffer<float> scales(half ? (size_t)s.queries : 0);
    if (half) {
      const gr_rows_args rows{items.data(), nullptr, half_items.data(), s.catalog, width};
      check_launch(simt::launch("gr_rows_f16", {((unsigned)s.catalog * width + 1023) / 1024}, {256}, 0, &rows));
      const gr_query_args args{queries.data(), half_queries.data(), scales.data(), width, s.queries};
      check_launch(simt::launch("gr_query_round", {(unsigned)s.queries}, {128}, 0, &args));
    }
    const ExactBuffer<float> list_scores((size_t)s.queries * s.slices * s.list);
    const ExactBuffer<int> list_items((size_t)s.queries * s.slices * s.list);
    gr_rank_args scan{};
    scan.items = half ? (const void*)half_items.data() : items.data();
    scan.item_bias = bias.data();
    scan.queries = half ? (const void*)half_queries.data() : queries.data();
    scan.scales = half ? scales.data() : nullptr;
    scan.masks = masks.data();
    scan.mask_rows = mask_rows.data();
    scan.excluded = excluded.data();
    scan.excluded_starts = excluded_starts.data();
    scan.list_scores = list_scores.data();
    scan.list_items = list_items.data();
    scan.catalog = s.catalog;
    scan.width = width;
    scan.queries_count = s.queries;
    scan.list = s.list;
    scan.slices = s.slices;
    scan.slice = ((s.catalog + s.slices - 1) / s.slices + GR_RANK_ITEMS - 1) / GR_RANK_ITEMS * GR_RANK_ITEMS;
    const std::string name = std::string("gr_rank_scan_") + (half ? "f16" : "f32") + "_q" + std::to_string(per_block);
    check_launch(simt::launch(name.c_str(), {(unsigned)s.slices, ((unsigned)s.queries + per_block - 1) / per_block}, {128},
                              (size_t)gr_rank_scan_shared(per_block, half ? 2 : 4, width, s.list), &scan));

    top_scores = ExactBuffer<float>((size_t)s.queries * s.k);
    top_items = ExactBuffer<int>((size_t)s.queries * s.k);
    certified = ExactBuffer<int>((size_t)s.queries);
    gr_merge_args merge{};
    merge.list_scores = list_scores.data();
    merge.list_items = list_items.data();
    merge.exact_items = items.data();
    merge.exact_queries = queries.data();
    merge.item_bias = bias.data();
    merge.top_scores = top_scores.data();
    merge.top_items = top_items.data();
    merge.certified = certified.data();
    merge.max_item_norm = (float)(max_norm() * 1.0001);
    merge.width = width;
    merge.list = s.list;
    merge.slices = s.slices;
    merge.k = s.k;
    check_launch(simt::launch("gr_rank_merge", {(unsigned)s.queries}, {256}, (size_t)gr_rank_merge_shared(s.list), &merge));
  }

  /// How far a score of the f16 scan may be off: the kernel's bound, thought through again.
  /// 2^-11 of each element or, below f16's normal numbers, 2^-25, on both sides; then a sum of `width` products with truncation.
  double scan_error(int query) const {
    const double most = max_norm(), q = norm(queries.data() + (size_t)query * width);
    return 1.01 * q * (2 * 0x1p-11 * most + std::sqrt(width) * 0x1p-25 * (1 + most) + width * 0x1p-22 * most);
  }

  /// The answer of a certified query, and of every query after a float32 scan, is the sorted catalogue's head but for scores that
  /// float32 cannot tell apart; ties stand by id. Without a certificate each place may be worse by what an f16 scan can have missed.
  /// @return how many queries are certified
  int check(bool half) const {
    int sure = 0;
    for (int q = 0; q < setup.queries; ++q) {
      sure += certified[q];
      const std::vector<Entry> all = sorted(q);
      const double rounding = norm(queries.data() + (size_t)q * width) * max_norm() * width * 0x1p-24 + 1e-6 * setup.query_scale * setup.item_scale;
      // Elements past 65504 are held there: such a scan's order means nothing.
      const double missed = !half || certified[q] ? 0 : max_norm() > 65504 ? INFINITY : 2 * scan_error(q);
      for (int i = 0; i < setup.k; ++i) {
        const size_t at = (size_t)q * setup.k + i;
        if (i >= (int)all.size()) {
          if (top_items[at] != -1 || top_scores[at] != kNothing) fail_test("query %d has item %d at place %d and only %zu are allowed", q, top_items[at], i, all.size());
          continue;
        }
        const int item = top_items[at];
        if (item < 0 || item >= setup.catalog || !allows(q, item)) {
          fail_test("query %d has item %d at place %d, which it may not have", q, item, i);
          return sure;
        }
        check_close(top_scores[at], all[i].score, rounding + missed, "score", at);
        check_close(top_scores[at], score(q, item), rounding, "score of the item", at);
        if (i == 0) continue;
        if (top_scores[at] > top_scores[at - 1] || (top_scores[at] == top_scores[at - 1] && item <= top_items[at - 1]))
          fail_test("query %d: item %d with %.9g stands behind item %d with %.9g", q, item, top_scores[at], top_items[at - 1], top_scores[at - 1]);
      }
    }
    return sure;
  }
};

/// Of an f16 scan at least one query is certified, or all of them are.
void ranks(const RankSetup& setup, bool half, int per_block, bool all_certified) {
  RankCase test(setup);
  test.run(half, per_block);
  if (!failure().empty()) return;
  const int sure = test.check(half);
  if (half && (sure == 0 || (all_certified && sure != setup.queries))) fail_test("%d of %d queries are certified", sure, setup.queries);
}

/// Where f16 cannot tell: the certificate must be withheld, or the answer still be right.
void withholds_certificate(const RankSetup& setup, bool any) {
  RankCase test(setup);
  test.run(true, 8);
  if (!failure().empty()) return;
  const int sure = test.check(true);
  if (sure == setup.queries || (sure > 0 && !any)) fail_test("%d of %d queries are certified over items that f16 cannot tell apart", sure, setup.queries);
}

/// The same query beside others and alone.
void same_bits() {
  RankSetup setup{300, 64, 9, 32, 12, 2};
  setup.bias = true;
  RankCase together(setup);
  together.run(true, 8);
  setup.queries = 1;
  for (int q : {0, 8}) {
    RankCase alone(setup);
    memcpy(alone.queries.data(), together.queries.data() + (size_t)q * alone.width, alone.width * sizeof(float));
    alone.run(true, 32);
    if (memcmp(alone.top_scores.data(), together.top_scores.data() + (size_t)q * setup.k, setup.k * sizeof(float)) != 0 ||
        memcmp(alone.top_items.data(), together.top_items.data() + (size_t)q * setup.k, setup.k * sizeof(int)) != 0)
      fail_test("query %d alone differs from the same in company", q);
  }
}

}  // namespace

void add_rank_tests() {
  struct Form {
    bool half;
    int per_block;
  };
  for (const Form form : {Form{true, 32}, Form{true, 8}, Form{false, 32}, Form{false, 8}}) {
    const std::string name = std::string("Rank_") + (form.half ? "f16" : "f32") + "_q" + std::to_string(form.per_block);
    const auto add = [&](const char* what, bool small, RankSetup setup, bool sure) {
      add_test(name + "_" + what, small, [=] { ranks(setup, form.half, form.per_block, sure); });
    };
    add("OneItem_Found", false, {1, 10, 1, 32, 3, 1}, true);
    add("TileEnds_MatchesSorting", form.per_block == 8, {129, 64, 3, 32, 5, 1}, true);
    add("FewerThanList_RestIsEmpty", false, {31, 64, 2, 32, 32, 1}, true);
    RankSetup whole{700, 100, form.per_block + 1, 64, 20, 3};
    whole.bias = true;
    add("SlicesAndQueries_MatchesSorting", false, whole, false);
    RankSetup filtered{500, 64, 7, 64, 20, 2};
    filtered.masks = filtered.exclusions = true;
    add("MasksAndExclusions_Kept", false, filtered, false);
    RankSetup tied{260, 64, 3, 64, 40, 2};
    tied.copies = 4;
    add("Ties_ByLowerId", false, tied, false);
    add("LastSliceEmpty_MatchesSorting", false, {250, 64, 2, 32, 5, 5}, false);
    add("LongLists_MatchesSorting", false, {900, 64, 2, 512, 300, 1}, false);
  }
  RankSetup close{600, 64, 4, 32, 10, 2};
  close.item_spread = 1e-5;
  add_test("RankMerge_ItemsF16CannotTellApart_NotCertified", false, [=] { withholds_certificate(close, true); });
  RankSetup tiny_query{600, 64, 12, 32, 30, 2};  // whose norm's square float32 does not hold
  tiny_query.item_spread = 1e-3;
  tiny_query.query_scale = 1e-28;
  add_test("RankMerge_TinyQueries_NotCertified", false, [=] { withholds_certificate(tiny_query, false); });
  RankSetup tiny{600, 64, 24, 32, 30, 2};  // below f16's normal numbers
  tiny.item_scale = 1e-6;
  add_test("RankMerge_TinyItems_NotCertified", false, [=] { withholds_certificate(tiny, true); });
  tiny.k = 3;
  add_test("RankMerge_TinyItemsFarApart_Certified", false, [=] { ranks(tiny, true, 8, false); });
  RankSetup huge{600, 64, 6, 32, 30, 2};  // past f16's largest
  huge.item_scale = 1e5;
  add_test("RankMerge_HugeItems_NotCertified", false, [=] { withholds_certificate(huge, false); });
  add_test("Rank_SameBitsAloneAndInCompany", false, [] { same_bits(); });
}
