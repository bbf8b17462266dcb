/*
 * What the CUDA kernels and their callers agree on: names, parameters, memory layouts, launch shapes, limits.
 * Plain C, so that the device code, the host build and a reader of another language see the same thing.
 *
 * Every kernel takes ONE parameter, a struct of this file, by value: kernelParams = { &args }. All structs have the size
 * and the field offsets that the C rules for LP64 give them; GR_ABI_VERSION changes when one of them does.
 *
 * Symbols. H hidden units, Hp = H rounded up to 64, K an input's width, Kp = K rounded up to 64, G gates (LSTM 4: i,f,g,o;
 * GRU 3: r,z,n), V items, E embedding width, Ep = E rounded up to 64, T the element of a product: f16, bf16 or f32.
 * Padding holds zeros, in weights and in states: a padded unit's state then stays zero. Arrays are row-major, bases are
 * aligned to 256 bytes (cuMemAlloc gives that), and every row starts on a multiple of 16 bytes.
 * The caller checks ids (slots, items, behaviours, rows) against their bounds; kernels check only the ends of tiles.
 *
 * Determinism. An output is summed in one order that depends on its own row alone, so a sequence gives the same bits alone,
 * in company, and cut into several launches. Paths differ in bits from each other: choose one for a model at load.
 *
 * Which path for a recurrent layer:
 *   persistent   T = f16 or bf16, Hp = 64 or 128, compute capability 7.5 or higher: one launch for a whole chunk.
 *   step         all others: gr_rows once, then one launch (GRU with the reset before the product: two) for each step.
 * f32 has no persistent form (256 KiB of weights at H = 128 fit no multiprocessor's registers). bf16 kernels are in the
 * module from capability 8.0 on; cuModuleGetFunction finds none below that, nor persistent ones below 7.5.
 */
#ifndef GRPCREC_ABI_H
#define GRPCREC_ABI_H

#ifndef GR_NO_STDINT
#include <stdint.h>
#endif

#define GR_ABI_VERSION 1

/* Limits, checked by the caller with a named error. */
#define GR_PAD 64             /* Hp, Kp, Ep are multiples of this */
#define GR_MAX_HIDDEN 1024    /* H */
#define GR_MAX_WIDTH 2048     /* K of a dense layer; E <= 1024 */
#define GR_RANK_MAX_LIST 512  /* candidates kept for a query; the caller ranks larger k from gr_pair_dot over the catalogue */
#define GR_RANK_ITEMS 128     /* items of a tile: slices are multiples of it */
#define GR_MAX_GRID_Y 65535   /* CUDA's own: sets the bound on sequences, queries and rows of one launch */

/*
 * A layer's recurrent steps over runs of events. Used by
 *   gr_lstm_persistent_{f16,bf16}_h{64,128}         grid (ceil(runs / 8))            block 2·Hp
 *   gr_gru_persistent_{f16,bf16}_h{64,128}          reset after the product; same shape
 *   gr_gru_before_persistent_{f16,bf16}_h{64,128}   reset before the product; same shape
 *   gr_lstm_step_{f16,bf16,f32}                     grid (Hp / 32, ceil(runs / 32))  block 128
 *   gr_gru_step_{f16,bf16,f32}                      reset after the product          block 96
 *   gr_gru_before_gates_{f16,bf16,f32}              first half of a step: r, z       block 64
 *   gr_gru_before_candidate_{f16,bf16,f32}          second half: n and the state     block 32
 * No dynamic shared memory. Runs need no order; sorted by descending count they waste least, and a step launch may then
 * name the prefix of runs that still have events (runs whose count is <= step are left alone in any case).
 * A slot stands in at most one run of a launch.
 */
typedef struct gr_recurrent_args {
  /* Recurrent weights. Step: tiles of 32 units, T [Hp/32][G][32][Hp] (gru_before: [Hp/32][2][32][Hp] of r, z, then
     [Hp/32][1][32][Hp] of n, both in this array). Persistent: A fragments of mma.m16n8k16,
     T [Hp/16 warps][G][Hp/16 k-steps][32 lanes][8]; element e of lane l is row 16·warp + l/4 + 8·(e/2 & 1),
     column 16·kstep + 2·(l % 4) + (e & 1) + 8·(e/4) of the gate's [Hp, Hp] matrix. */
  const void* weights;
  /* Input projections, [rows][Hp][4] (GRU: the fourth is not read): f16 for T = f16 and bf16, f32 for T = f32.
     Bias included (b_ih + b_hh; n of a GRU with the reset after: b_in alone). */
  const void* gate_rows;
  const void* behavior_rows;  /* the same layout, added; NULL: none */
  const int32_t* items;       /* [events] row of gate_rows; NULL: an event's row is its position */
  const int32_t* behaviors;   /* [events] row of behavior_rows; not read when that is NULL */
  const int32_t* slots;       /* [runs] row of state_h and state_c */
  const int32_t* starts;      /* [runs] position of the run's first event */
  const int32_t* counts;      /* [runs] events of the run, >= 0 */
  float* state_h;             /* [slots, Hp] this layer's resident state, read and written in place */
  float* state_c;             /* [slots, Hp] LSTM only */
  const float* reset_bias;    /* [Hp] b_hn, GRU with the reset after the product only */
  void* hidden_first;         /* step: [runs, Hp] T, state_h of the runs' slots before the first step (gr_rows); persistent: not read */
  void* hidden_events;        /* [events, Hp] T, the hidden state after each event: input of the next layer. Step: always there; persistent: NULL for none */
  void* reset_hidden;         /* gru_before step: [runs, Hp] T, r∘h handed from the first half to the second */
  float* update_gate;         /* gru_before step: [runs, Hp] z, likewise */
  int32_t runs;
  int32_t step;               /* step: which event of each run, 0 ... max(count) - 1 */
  int32_t hidden;             /* Hp; step kernels read it, persistent ones are compiled for theirs */
  int32_t reserved;
} gr_recurrent_args;

/*
 * Input projections of a layer above the first: out[e][unit][gate] = in[e]·W_ih^T + b.
 *   gr_project_lstm_{f16,bf16,f32}   grid (Hp / 32, ceil(rows / 32))   block 128
 *   gr_project_gru_{f16,bf16,f32}                                       block 96
 * The result is gate_rows of the recurrent launch that follows, with items = NULL.
 */
typedef struct gr_project_args {
  const void* weights;  /* T [Hp/32][G][32][Kp] */
  const void* input;    /* T [rows, Kp]: hidden_events of the layer below (Kp = its Hp) */
  const float* bias;    /* [Hp][4]; GRU: the fourth is not read */
  void* out;            /* [rows][Hp][4] f16 for T = f16 and bf16 (values past 65504 are held there), f32 for T = f32; GRU: the fourth is written as 0 */
  int32_t rows;
  int32_t inner;        /* Kp */
  int32_t hidden;       /* Hp */
  int32_t reserved;
} gr_project_args;

/*
 * Rows gathered and rounded: out[i] = T(in[rows[i]]).
 *   gr_rows_{f16,bf16,f32}   grid (ceil(count·width / 1024))   block 256
 */
typedef struct gr_rows_args {
  const float* in;       /* [*, width] */
  const int32_t* rows;   /* [count]; NULL: i itself */
  void* out;             /* [count, width] T; f16 holds at 65504 */
  int32_t count;
  int32_t width;         /* multiple of 4; count·width < 2^31 */
} gr_rows_args;

/*
 * A dense layer in float32: out[i][m] = act(sum_k x[i][k]·weights[m][k] + bias[m] + addend[addend_rows[i]][m]).
 *   gr_dense_f32          out f32
 *   gr_dense_f16          out f16, held at 65504: builds gate tables from W_ih rows in the order [unit][4]
 *   gr_dense_interaction  out f32; x[i] = e ‖ p∘e with e = in[rows[i]] and p = pair[pair_rows[i]], so inner = 2·E and ld_in counts e's row
 *   all: grid (ceil(columns / 64), ceil(count / 64))   block 256. For count above 64·65535 call again with later rows.
 * Any sizes and any leading dimension; no padding is read. 16-byte alignment is not needed.
 */
typedef struct gr_dense_args {
  const float* in;             /* [*, ld_in] */
  const int32_t* rows;         /* [count] rows of in; NULL: i itself */
  const float* weights;        /* [columns, ld_weights] */
  const float* bias;           /* [columns]; NULL: none */
  const float* addend;         /* [*, ld_addend]; NULL: none */
  const int32_t* addend_rows;  /* [count]; NULL: i itself */
  const float* pair;           /* interaction: [*, ld_pair] */
  const int32_t* pair_rows;    /* interaction: [count]; NULL: i itself */
  void* out;                   /* [count, ld_out] */
  int32_t count;
  int32_t columns;
  int32_t inner;
  int32_t ld_in;
  int32_t ld_weights;
  int32_t ld_addend;
  int32_t ld_pair;
  int32_t ld_out;
  int32_t relu;                /* 1: max(0, .) */
  int32_t reserved;
} gr_dense_args;

/*
 * Products of pairs: out[i·ld_out] = queries[query_rows[i]]·items[item_rows[i]] + bias[item_rows[i]]; the next_item logit of a candidate.
 *   gr_pair_dot   grid (ceil(count / 8))   block 256
 */
typedef struct gr_pair_args {
  const float* queries;        /* [*, ld_queries] */
  const int32_t* query_rows;   /* [count] */
  const float* items;          /* [*, ld_items] */
  const int32_t* item_rows;    /* [count] */
  const float* bias;           /* [*]; NULL: none */
  float* out;
  int32_t count;
  int32_t inner;
  int32_t ld_queries;
  int32_t ld_items;
  int32_t ld_out;
  int32_t reserved;
} gr_pair_args;

/*
 * Queries made ready for the f16 scan: scaled by a power of two so that the largest is in [1, 2), then rounded.
 *   gr_query_round   grid (queries)   block 128
 */
typedef struct gr_query_args {
  const float* queries;  /* [queries, Ep], padding zero */
  void* rounded;         /* [queries, Ep] f16 */
  float* scales;         /* [queries] what a product with the rounded query is multiplied by; 1 for a query of zeros */
  int32_t width;         /* Ep */
  int32_t count;
} gr_query_args;

/*
 * Best `list` items of each query in each slice of the catalogue. The queries of a block stay in shared memory, the
 * slice's items stream past once; a score is never written to memory.
 *   gr_rank_scan_{f16,f32}_q{32,8}   grid (slices, ceil(queries / 32 or 8))   block 128   dynamic shared gr_rank_scan_shared()
 * The shared size passes 48 KiB: CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES must be set, after a look at the device's
 * opt-in limit (65,536 on Turing): take q32 where it fits, else q8, else rank on the host from gr_pair_dot.
 */
typedef struct gr_rank_args {
  const void* items;              /* T [V, Ep] */
  const float* item_bias;         /* [V]; NULL: none */
  const void* queries;            /* T [queries, Ep] */
  const float* scales;            /* [queries] of gr_query_round; NULL (f32): 1 */
  const uint32_t* masks;          /* [*][ceil(V / 32)] bit i of word w lets item 32·w + i pass; NULL when no query has one */
  const int32_t* mask_rows;       /* [queries] row of masks; -1: all items pass. Not read when masks is NULL */
  const int32_t* excluded;        /* ids never to be returned, ascending within a query; NULL: none */
  const int32_t* excluded_starts; /* [queries + 1] */
  float* list_scores;             /* [queries][slices][list] best first; fewer items: the rest is -inf with id -1 */
  int32_t* list_items;            /* the same shape */
  int32_t catalog;                /* V */
  int32_t width;                  /* Ep */
  int32_t queries_count;
  int32_t list;                   /* multiple of 32, 32 ... GR_RANK_MAX_LIST */
  int32_t slice;                  /* items of a slice, multiple of GR_RANK_ITEMS; slices = ceil(V / slice) */
  int32_t slices;
} gr_rank_args;

/*
 * The slices' lists merged, scored again in float32, sorted; ties by the lower id.
 *   gr_rank_merge   grid (queries)   block 256   dynamic shared gr_rank_merge_shared()
 * certified[q] is 1 when no item outside the list can belong to the best k after an f16 scan: |f16 score - exact score| <= eps for
 * every item (rank_merge.cu derives it), and the k-th exact score lies more than eps above the worst score of the list. A query with 0
 * is to be scanned again in f32. It is 0 for a full list whenever max_item_norm is past 65504, where f16 may have held an element.
 * After an f32 scan the answer stands without it.
 */
typedef struct gr_merge_args {
  const float* list_scores;      /* of the scan */
  const int32_t* list_items;
  const float* exact_items;      /* [V, Ep] f32 */
  const float* exact_queries;    /* [queries, Ep] f32 */
  const float* item_bias;        /* [V]; NULL: none */
  float* top_scores;             /* [queries][k]; fewer items: -inf with id -1 */
  int32_t* top_items;
  int32_t* certified;            /* [queries] */
  float max_item_norm;           /* an upper bound of the rows' Euclidean norms, before they were rounded */
  int32_t width;                 /* Ep */
  int32_t list;
  int32_t slices;
  int32_t k;                     /* 1 ... list */
  int32_t reserved;
} gr_merge_args;

/* Dynamic shared bytes of a scan. `queries` 32 or 8, `element` bytes of T, `width` Ep. */
static inline int32_t gr_rank_scan_shared(int32_t queries, int32_t element, int32_t width, int32_t list) {
  return 2 * GR_RANK_ITEMS * 144 + queries * (width * element + 16) + queries * list * 8;
}

/* Dynamic shared bytes of a merge. */
static inline int32_t gr_rank_merge_shared(int32_t list) { return 8 * list * 8 + list * 4; }

#endif
