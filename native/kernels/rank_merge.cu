// A query's lists of all slices become its answer: merged, scored again in float32, sorted, and certified. One block a query.
//
// Why the certificate holds. The scan's f16 score s' and the exact score s of an item differ by at most
//   eps = |q|·(N·(2^-10 + Ep·2^-21) + sqrt(Ep)·2^-25·1.006) + |bias part|·2^-22,   65504 >= N >= |e| for every item:
// - Rounding to 11 bits moves an element by 2^-11 of itself, in q and in e: |q|·|e|·(2^-10 + 2^-22) over a row.
// - Below 2^-14 it moves an element by up to 2^-25: in e as it stands, which a row feels as |q|·sqrt(Ep)·2^-25 however small |e| is; in q
//   of the query's scale, which is at most |q| (or 2^-125, far less than what |q| is given below), so that |q|·|e|·Ep·2^-25 covers it.
//   The 1.006 is for what both move together.
// - Past 65504 an element of e is held, and nothing is known of its score: no certificate then. An element is never above its row's norm.
// - Summing Ep products in float32 in whatever order, with truncation, costs less than Ep·2^-22 of the sum of their sizes, which is at
//   most |q|·|e|; the float32 scores that decide cost far less than the other half of Ep·2^-21.
// - |q| comes from squares that float32 may have lost, each less than 2^-126: so much is added for each.
// What the merged list has not got scored no more than its last entry there, s' <= w, hence s <= w + eps. If the k-th exact score is
// above w + eps, nothing outside can belong to the best k, not even as a tie. A list that is not full holds every item that passed.
//
// Shared memory: 8 lists of 8·list bytes, then the exact scores, 4·list.
#include "grpcrec/top_list.cuh"

namespace rank_merge {
constexpr int kWarps = 8;

/// Sum over a warp in one order for all lanes.
GR_DEVICE float warp_sum(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance >>= 1) x += __shfl_xor_sync(0xffffffffu, x, distance);
  return x;
}

GR_DEVICE float dot(const float* a, const float* b, int width) {
  float sum = 0.f;
  for (int i = lane_id(); i < width; i += 32) sum = fmaf(a[i], b[i], sum);
  return warp_sum(sum);
}

struct AllowsAll {
  GR_MEMBER bool operator()(int) const { return true; }
};

GR_KERNEL(gr_rank_merge, gr_merge_args, 256, 4) {
  GR_DYNAMIC_SHARED(memory);
  const int query = (int)blockIdx.x, warp = warp_id(), lane = lane_id(), size = args.list;
  const auto list_of = [&](int w) {
    float* scores = reinterpret_cast<float*>(memory) + w * 2 * size;
    return TopList{scores, reinterpret_cast<int*>(scores + size), size};
  };
  float* exact = reinterpret_cast<float*>(memory) + kWarps * 2 * size;

  // 1. Each warp merges every eighth slice.
  const TopList own = list_of(warp);
  own.clear();
  for (int slice = warp; slice < args.slices; slice += kWarps) {
    const int64_t at = ((int64_t)query * args.slices + slice) * size;
    for (int i = lane; i < size; i += 32) {
      const int item = args.list_items[at + i];
      own.offer(item >= 0, args.list_scores[at + i], item, AllowsAll());
    }
  }
  __syncthreads();

  // 2. The first warp merges the others'.
  if (warp == 0) {
    for (int other = 1; other < kWarps; ++other) {
      const TopList list = list_of(other);
      for (int i = lane; i < size; i += 32) own.offer(list.items[i] != kNoItem, list.scores[i], list.items[i], AllowsAll());
    }
  }
  __syncthreads();

  // 3. Exact scores.
  const TopList merged = list_of(0);
  const float* q = args.exact_queries + (int64_t)query * args.width;
  for (int i = warp; i < size; i += kWarps) {
    const int item = merged.items[i];
    float score = merged.scores[i];
    if (item != kNoItem) {
      score = dot(q, args.exact_items + (int64_t)item * args.width, args.width);
      if (args.item_bias) score += args.item_bias[item];
    }
    if (lane == 0) exact[i] = score;
  }
  __syncthreads();

  // 4. An entry's place is the number of entries that are better: a sort without exchanges. Empty places come last.
  float* sorted = reinterpret_cast<float*>(memory) + 2 * size;  // warp 1's list: merged, and free since step 2
  for (int i = (int)threadIdx.x; i < size; i += (int)blockDim.x) {
    const float score = exact[i];
    const int item = merged.items[i];
    int place = 0;
    for (int j = 0; j < size; ++j) place += is_better(exact[j], merged.items[j], score, item) || (item == kNoItem && merged.items[j] == kNoItem && j < i);
    sorted[place] = score;
    if (place < args.k) {
      args.top_scores[(int64_t)query * args.k + place] = score;
      args.top_items[(int64_t)query * args.k + place] = item == kNoItem ? -1 : item;
    }
  }
  __syncthreads();

  // 5. Certificate.
  if (warp == 0) {
    int certified = 1;
    if (merged.items[size - 1] != kNoItem) {
      const float width = (float)args.width, norm = sqrtf(dot(q, q, args.width) + width * 1.17549435e-38f);
      const float worst = merged.scores[size - 1], kth = sorted[args.k - 1];
      const float eps = norm * (args.max_item_norm * (9.765625e-4f + width * 4.76837158e-7f) + sqrtf(width) * 3e-8f) + (fabsf(worst) + fabsf(kth)) * 2.38418579e-7f;
      certified = kth > worst + eps;
      if (!(args.max_item_norm <= 65504.f)) certified = 0;
    }
    if (lane == 0) args.certified[query] = certified;
  }
}
}  // namespace rank_merge
