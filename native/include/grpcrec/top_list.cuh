// The best `size` pairs (score, item) that a warp has been offered, best first, in shared memory. Of equal scores the lower item is
// better, so the list does not depend on the order of the offers. Owned by one warp: no other may touch it between warp barriers.
#pragma once
#include "grpcrec/device.cuh"

constexpr int kNoItem = 0x7fffffff;  // of an empty place; worse than every item at the same score

GR_DEVICE bool is_better(float score, int item, float than_score, int than_item) {
  return score > than_score || (score == than_score && item < than_item);
}

struct TopList {
  float* scores;  // [size]
  int* items;     // [size]
  int size;       // multiple of 32

  GR_MEMBER void clear() const {
    for (int i = lane_id(); i < size; i += 32) {
      scores[i] = -INFINITY;
      items[i] = kNoItem;
    }
    __syncwarp();
  }

  /// Each lane offers one pair where `offered`; called by all lanes. `allows(item)` is asked only of a pair that would enter, by all
  /// lanes together, so that nothing diverges.
  template <class Allows> GR_MEMBER void offer(bool offered, float score, int item, Allows allows) const {
    unsigned waiting = __ballot_sync(0xffffffffu, offered && is_better(score, item, scores[size - 1], items[size - 1]));
    while (waiting) {
      const int source = __ffs((int)waiting) - 1;
      waiting &= waiting - 1;
      const int entering = __shfl_sync(0xffffffffu, item, source);
      const float with = __shfl_sync(0xffffffffu, score, source);
      if (allows(entering)) insert(with, entering);
    }
  }

 private:
  GR_MEMBER void insert(float score, int item) const {
    const int lane = lane_id();
    // From the worst chunk up: each place behind the new pair takes its neighbour's, then the pair takes the place that is left.
    for (int base = size - 32; base >= 0; base -= 32) {
      const int at = base + lane;
      const bool behind = is_better(score, item, scores[at], items[at]);
      float before_score = 0.f;
      int before_item = 0;
      bool before_behind = false;
      if (at > 0) {
        before_score = scores[at - 1];
        before_item = items[at - 1];
        before_behind = is_better(score, item, before_score, before_item);
      }
      __syncwarp();
      if (behind) {
        scores[at] = before_behind ? before_score : score;
        items[at] = before_behind ? before_item : item;
      }
      __syncwarp();
      // Once the place before the chunk stays, so does everything before it.
      if (!__shfl_sync(0xffffffffu, (int)before_behind, 0)) break;
    }
  }
};
