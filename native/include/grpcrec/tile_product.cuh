// One block's product C[32·G × 8·NB] = A[32·G × K]·B[8·NB × K]^T, K a multiple of 64, staged through shared memory in chunks of
// 128 bytes a row. Warp w owns rows 32w ... 32w+31: gate w of 32 units, or 32 items of a catalogue. Each element is summed in
// ascending k whatever stands in the other columns: that is what batch invariance rests on.
//
// Shared memory: two stages of rows 144 bytes apart (16 more than they hold, so that eight rows start in eight different groups
// of four banks). C is given to the caller in shared memory too, [G][8·NB columns][36]: rows of a column lie side by side, and a
// column is padded to 36 floats, which keeps both the fragments' scattered writes and the readers free of bank conflicts.
#pragma once
#include "grpcrec/device.cuh"

constexpr int kStageRow = 144;      // bytes between rows of a stage
constexpr int kStageChunk = 128;    // bytes of a row that a stage holds
constexpr int kColumn = 36;         // floats between columns of C

template <class T> constexpr int kChunkElements = kStageChunk / (int)sizeof(T);
template <class T> constexpr int kStageElements = kStageRow / (int)sizeof(T);

/// A warp's sums: 32 rows × 8·NB columns.
template <class T, int NB> struct WarpSums {
  float d[NB][8];

  GR_MEMBER void clear() {
#pragma unroll
    for (int n = 0; n < NB; ++n)
#pragma unroll
      for (int i = 0; i < 8; ++i) d[n][i] = 0.f;
  }

  /// a: the warp's 32 rows of a stage. b: 8·NB rows, ldb elements apart. One chunk of k.
  GR_MEMBER void add(const T* a, const T* b, int ldb) {
#if GR_ARCH >= 750
    const int lane = lane_id();
#pragma unroll
    for (int k = 0; k < kChunkElements<T>; k += 32) {
      unsigned fa[2][2][4];  // [k-step][upper, lower 16 rows]
#pragma unroll
      for (int s = 0; s < 2; ++s)
#pragma unroll
        for (int m = 0; m < 2; ++m)
          gr_ldmatrix4(fa[s][m], a + (m * 16 + (lane & 15)) * kStageElements<T> + k + s * 16 + (lane >> 4) * 8);
#pragma unroll
      for (int n = 0; n < NB; ++n) {
        unsigned fb[4];
        gr_ldmatrix4(fb, b + (n * 8 + (lane & 7)) * ldb + k + (lane >> 3) * 8);
        const unsigned first[2] = {fb[0], fb[1]}, second[2] = {fb[2], fb[3]};
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          multiply(d[n] + m * 4, fa[0][m], first);
          multiply(d[n] + m * 4, fa[1][m], second);
        }
      }
    }
#else
#pragma unroll
    for (int k = 0; k < kChunkElements<T>; k += 16)
#pragma unroll
      for (int n = 0; n < NB; ++n) gr_wmma(d[n], a + k, kStageElements<T>, b + n * 8 * ldb + k, ldb);
#endif
  }

  /// To the warp's [8·NB][36] of C.
  GR_MEMBER void store(float* c) const {
#if GR_ARCH >= 750
    const int lane = lane_id();
#pragma unroll
    for (int n = 0; n < NB; ++n)
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const int row = (lane >> 2) + (i >> 1) * 8, column = n * 8 + (lane & 3) * 2 + (i & 1);
        c[column * kColumn + row] = d[n][i];
      }
#else
#pragma unroll
    for (int n = 0; n < NB; ++n) gr_wmma_store(c + n * 8 * kColumn, kColumn, d[n]);
#endif
  }

 private:
#if GR_ARCH >= 750
  GR_MEMBER static void multiply(float* sums, const unsigned (&a)[4], const unsigned (&b)[2]) {
    if constexpr (GateElement<T>::is_f16) gr_mma_f16(sums, a, b);
#if GR_ARCH >= 800
    else gr_mma_bf16(sums, a, b);
#endif
  }
#endif
};

/// float32: no tensor cores. Lane l sums rows l/8 + 4i of columns l%8 + 8n with fused multiply-adds.
template <int NB> struct WarpSums<float, NB> {
  float d[NB][8];

  GR_MEMBER void clear() {
#pragma unroll
    for (int n = 0; n < NB; ++n)
#pragma unroll
      for (int i = 0; i < 8; ++i) d[n][i] = 0.f;
  }

  GR_MEMBER void add(const float* a, const float* b, int ldb) {
    const int lane = lane_id();
    a += (lane >> 3) * kStageElements<float>;
    b += (lane & 7) * ldb;
#pragma unroll 2
    for (int k = 0; k < kChunkElements<float>; k += 4) {
      Four y[NB];
#pragma unroll
      for (int n = 0; n < NB; ++n) y[n] = load_four(b + n * 8 * ldb + k);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const Four x = load_four(a + i * 4 * kStageElements<float> + k);
#pragma unroll
        for (int n = 0; n < NB; ++n)
#pragma unroll
          for (int j = 0; j < 4; ++j) d[n][i] = fmaf(x.v[j], y[n].v[j], d[n][i]);
      }
    }
  }

  GR_MEMBER void store(float* c) const {
    const int lane = lane_id();
#pragma unroll
    for (int n = 0; n < NB; ++n)
#pragma unroll
      for (int i = 0; i < 8; ++i) c[(n * 8 + (lane & 7)) * kColumn + (lane >> 3) + 4 * i] = d[n][i];
  }
};

/// Rows row0 ... of a matrix [rows, k] into a stage, `count` of them there; the stage's other rows are zero.
template <class T, int Rows> GR_DEVICE void stage_rows(unsigned char* stage, const T* matrix, int64_t row0, int count, int k, int k0) {
  for (int i = (int)threadIdx.x; i < Rows * 8; i += (int)blockDim.x) {
    const int row = i >> 3, part = i & 7;
    unsigned char* to = stage + row * kStageRow + part * 16;
    if (row < count) gr_copy16(to, reinterpret_cast<const unsigned char*>(matrix + (row0 + row) * k + k0) + part * 16);
    else *reinterpret_cast<uint4*>(to) = make_uint4(0, 0, 0, 0);
  }
}

/// The same with a row number for each; a negative one gives a row of zeros.
template <class T, int Rows> GR_DEVICE void stage_gathered(unsigned char* stage, const T* matrix, const int* rows, int k, int k0) {
  for (int i = (int)threadIdx.x; i < Rows * 8; i += (int)blockDim.x) {
    const int row = i >> 3, part = i & 7, from = rows[row];
    unsigned char* to = stage + row * kStageRow + part * 16;
    if (from >= 0) gr_copy16(to, reinterpret_cast<const unsigned char*>(matrix + (int64_t)from * k + k0) + part * 16);
    else *reinterpret_cast<uint4*>(to) = make_uint4(0, 0, 0, 0);
  }
}

/// Bytes of shared memory that gate_product needs: two stages, or C in their place.
template <int G, int NB> constexpr int kProductBytes =
    2 * (G * 32 + NB * 8) * kStageRow > G * NB * 8 * kColumn * 4 ? 2 * (G * 32 + NB * 8) * kStageRow : G * NB * 8 * kColumn * 4;

/// The whole product. Called by all threads of a block of 32·G.
/// @param memory kProductBytes, aligned to 128; holds C at the end, visible to all threads
/// @param weights [32·G, k] of this block
/// @param rows [8·NB] in shared memory: row of `inputs` that is a column of B, or negative
template <class T, int G, int NB>
GR_DEVICE const float* gate_product(unsigned char* memory, const T* weights, const T* inputs, const int* rows, int k) {
  constexpr int kBytesA = G * 32 * kStageRow, kStage = kBytesA + NB * 8 * kStageRow;
  const int warp = warp_id();
  WarpSums<T, NB> sums;
  sums.clear();
  const auto stage = [&](int buffer, int k0) {
    stage_rows<T, G * 32>(memory + buffer * kStage, weights, 0, G * 32, k, k0);
    stage_gathered<T, NB * 8>(memory + buffer * kStage + kBytesA, inputs, rows, k, k0);
  };
  stage(0, 0);
  int buffer = 0;
  for (int k0 = 0; k0 < k; k0 += kChunkElements<T>, buffer ^= 1) {
    gr_copy_wait();
    __syncthreads();  // the chunk is there, and nobody still reads the other stage
    if (k0 + kChunkElements<T> < k) stage(buffer ^ 1, k0 + kChunkElements<T>);
    const unsigned char* at = memory + buffer * kStage;
    sums.add(reinterpret_cast<const T*>(at + warp * 32 * kStageRow), reinterpret_cast<const T*>(at + kBytesA), kStageElements<T>);
  }
  __syncthreads();
  float* c = reinterpret_cast<float*>(memory);
  sums.store(c + warp * NB * 8 * kColumn);
  __syncthreads();
  return c;
}
