// Best items of each query in each slice of the catalogue; scores live in shared memory for one tile and are gone.
//
// Grid (slices, ceil(queries / Q)), block of 4 warps. The block's Q queries stay in shared memory; its slice's items stream past in
// tiles of 128 in chunks of 128 bytes a row: read from memory once, and from the second-level cache by every further Q queries.
// Warp w scores items 32w ... of a tile against all Q queries, then keeps the lists of queries w, w + 4, ...: a score below the
// list's last is dropped at once, and filters are asked only of what would enter.
//
// Shared memory: two stages of 18,432 bytes, Q rows of Ep·|T| + 16, Q lists of 8·list bytes (gr_rank_scan_shared). A tile's scores,
// [4][Q][36] floats, lie in whichever stage is free, so that the next tile's first chunk can be on its way while they are ranked.
// Bound by reading the items at many queries' worth of tensor work for each byte, by the lists at large k.
#include "grpcrec/tile_product.cuh"
#include "grpcrec/top_list.cuh"

namespace rank_scan {
constexpr int kTile = GR_RANK_ITEMS, kStage = kTile * kStageRow;

/// What a query lets through beside its score.
struct QueryFilter {
  const uint32_t* mask;   // NULL: all items
  const int32_t* first;   // excluded ids, ascending
  int excluded;
  int halving;            // largest power of two that is not above `excluded`

  GR_MEMBER QueryFilter(const gr_rank_args& args, int query) : mask(nullptr), first(nullptr), excluded(0), halving(0) {
    if (args.masks && args.mask_rows[query] >= 0) mask = args.masks + (int64_t)args.mask_rows[query] * ((args.catalog + 31) / 32);
    if (args.excluded) {
      first = args.excluded + args.excluded_starts[query];
      excluded = args.excluded_starts[query + 1] - args.excluded_starts[query];
      halving = excluded > 0 ? 1 << (31 - __clz(excluded)) : 0;
    }
  }

  GR_MEMBER bool operator()(int item) const {
    if (mask && !(mask[item >> 5] >> (item & 31) & 1u)) return false;
    // How many ids are below the item, by halving steps.
    int below = 0;
#pragma unroll 1
    for (int step = halving; step > 0; step >>= 1)
      if (below + step <= excluded && first[below + step - 1] < item) below += step;
    return below == excluded || first[below] != item;
  }
};

template <class T, int Q> GR_DEVICE void scan_slice(const gr_rank_args& args) {
  GR_DYNAMIC_SHARED(memory);
  const int warp = warp_id(), lane = lane_id(), width = args.width, query_row = width + 16 / (int)sizeof(T);
  // Blocks start in the order of their linear number, so the groups of queries of one slice run side by side: the slice comes from
  // memory once and from the second-level cache for the others.
  const unsigned number = blockIdx.y * gridDim.x + blockIdx.x;
  const int group = (int)(number % gridDim.y), slice = (int)(number / gridDim.y);
  const int first_query = group * Q, queries = min(Q, args.queries_count - first_query);
  const int first_item = slice * args.slice, end = (int)min((int64_t)first_item + args.slice, (int64_t)args.catalog);
  T* resident = reinterpret_cast<T*>(memory + 2 * kStage);
  float* list_scores = reinterpret_cast<float*>(memory + 2 * kStage + Q * query_row * (int)sizeof(T));
  int* list_items = reinterpret_cast<int*>(list_scores + Q * args.list);
  const auto list_of = [&](int q) { return TopList{list_scores + q * args.list, list_items + q * args.list, args.list}; };

  // 1. Queries into shared memory, zeros for the missing ones of the last block; empty lists.
  const int parts = width * (int)sizeof(T) / 16;
  for (int i = (int)threadIdx.x; i < Q * parts; i += (int)blockDim.x) {
    const int q = i / parts, part = i % parts;
    uint4* to = reinterpret_cast<uint4*>(resident + q * query_row) + part;
    if (q < queries) gr_copy16(to, reinterpret_cast<const uint4*>(static_cast<const T*>(args.queries) + (int64_t)(first_query + q) * width) + part);
    else *to = make_uint4(0, 0, 0, 0);
  }
  for (int q = warp; q < Q; q += 4) list_of(q).clear();

  const auto stage = [&](int buffer, int tile, int k0) {
    stage_rows<T, kTile>(memory + buffer * kStage, static_cast<const T*>(args.items), tile, min(kTile, end - tile), width, k0);
  };
  if (first_item < end) stage(0, first_item, 0);
  int buffer = 0;
  for (int tile = first_item; tile < end; tile += kTile) {
    // 2. Scores of 128 items by Q queries.
    WarpSums<T, Q / 8> sums;
    sums.clear();
    for (int k0 = 0; k0 < width; k0 += kChunkElements<T>) {
      gr_copy_wait();
      __syncthreads();  // the chunk is there, and nobody still reads or ranks from the other stage
      const bool last = k0 + kChunkElements<T> >= width;
      if (!last) stage(buffer ^ 1, tile, k0 + kChunkElements<T>);
      sums.add(reinterpret_cast<const T*>(memory + buffer * kStage + warp * 32 * kStageRow), resident + k0, query_row);
      if (!last) buffer ^= 1;
    }
    float* scores = reinterpret_cast<float*>(memory + (buffer ^ 1) * kStage);
    sums.store(scores + warp * Q * kColumn);
    __syncthreads();
    if (tile + kTile < end) stage(buffer, tile + kTile, 0);

    // 3. Each warp ranks its queries.
    for (int q = warp; q < queries; q += 4) {
      const TopList list = list_of(q);
      const QueryFilter allows(args, first_query + q);
      const float scale = args.scales ? args.scales[first_query + q] : 1.f;
#pragma unroll 1
      for (int part = 0; part < 4; ++part) {
        const int item = tile + part * 32 + lane;
        const bool there = item < end;
        float score = scores[(part * Q + q) * kColumn + lane] * scale;
        if (there && args.item_bias) score += args.item_bias[item];
        list.offer(there, score, item, allows);
      }
    }
  }

  // 4. Lists to memory.
  gr_copy_wait();
  for (int q = warp; q < queries; q += 4) {
    const TopList list = list_of(q);
    const int64_t at = ((int64_t)(first_query + q) * args.slices + slice) * args.list;
    for (int i = lane; i < args.list; i += 32) {
      args.list_scores[at + i] = list.scores[i];
      args.list_items[at + i] = list.items[i] == kNoItem ? -1 : list.items[i];
    }
  }
}

GR_KERNEL(gr_rank_scan_f16_q32, gr_rank_args, 128, 4) { scan_slice<gr_f16, 32>(args); }
GR_KERNEL(gr_rank_scan_f16_q8, gr_rank_args, 128, 4) { scan_slice<gr_f16, 8>(args); }
GR_KERNEL(gr_rank_scan_f32_q32, gr_rank_args, 128, 4) { scan_slice<float, 32>(args); }
GR_KERNEL(gr_rank_scan_f32_q8, gr_rank_args, 128, 4) { scan_slice<float, 8>(args); }
}  // namespace rank_scan
