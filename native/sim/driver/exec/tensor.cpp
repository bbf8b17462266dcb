// mma.sync and ldmatrix: fragments as the PTX manual places them in the lanes.
#include "handlers.h"

namespace grsim {
namespace {

float FromHalf(uint32_t bits) { return static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits))); }

/// d[16×8] = a[16×K]·b[K×8] + c[16×8], sums in float32 in ascending k. list: d[4], a[K/4], b[K/8], c[4]; mode: K; offset 1: bf16.
/// Lane l holds rows l/4 and l/4 + 8 of a, column l/4 of b, and columns 2(l%4), 2(l%4)+1 of c and d.
template <int K>
void Mma(Warp& warp, const Ins& in, uint32_t) {
  constexpr int kA = K / 4, kB = K / 8;
  const uint32_t* list = &warp.block->program().lists[in.list];
  float a[16][K], b[K][8], d[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int row = lane >> 2, pair = (lane & 3) * 2;
    const auto convert = [&](uint32_t bits) { return in.offset != 0 ? FromBf16(static_cast<uint16_t>(bits)) : FromHalf(bits); };
    for (int i = 0; i < kA; ++i) {
      const uint32_t bits = warp.Row<uint32_t>(list[4 + i])[lane];
      a[row + (i & 1) * 8][pair + (i >> 1) * 8] = convert(bits);
      a[row + (i & 1) * 8][pair + (i >> 1) * 8 + 1] = convert(bits >> 16);
    }
    for (int i = 0; i < kB; ++i) {
      const uint32_t bits = warp.Row<uint32_t>(list[4 + kA + i])[lane];
      b[pair + i * 8][row] = convert(bits);
      b[pair + i * 8 + 1][row] = convert(bits >> 16);
    }
    for (int i = 0; i < 4; ++i) d[row + (i >> 1) * 8][pair + (i & 1)] = warp.Row<float>(list[4 + kA + kB + i])[lane];
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < K; ++k)
      for (int column = 0; column < 8; ++column) d[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) warp.Row<float>(list[i])[lane] = d[(lane >> 2) + (i >> 1) * 8][(lane & 3) * 2 + (i & 1)];
  ++warp.block->stats().tensor_products;
}

/// d[16×8] = a[16×32]·b[32×8] + c of bytes with a sign, sums in int32. list: d[4], a[4], b[2], c[4].
void MmaBytes(Warp& warp, const Ins& in, uint32_t) {
  const uint32_t* list = &warp.block->program().lists[in.list];
  int a[16][32], b[32][8], d[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int row = lane >> 2, four = (lane & 3) * 4, pair = (lane & 3) * 2;
    for (int byte = 0; byte < 4; ++byte) {
      for (int i = 0; i < 4; ++i) a[row + (i & 1) * 8][four + (i >> 1) * 16 + byte] = static_cast<int8_t>(warp.Row<uint32_t>(list[4 + i])[lane] >> (8 * byte));
      for (int i = 0; i < 2; ++i) b[four + i * 16 + byte][row] = static_cast<int8_t>(warp.Row<uint32_t>(list[8 + i])[lane] >> (8 * byte));
    }
    for (int i = 0; i < 4; ++i) d[row + (i >> 1) * 8][pair + (i & 1)] = warp.Row<int>(list[10 + i])[lane];
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 32; ++k)
      for (int column = 0; column < 8; ++column) d[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) warp.Row<int>(list[i])[lane] = d[(lane >> 2) + (i >> 1) * 8][(lane & 3) * 2 + (i & 1)];
  ++warp.block->stats().tensor_products;
}

/// count 8×8 matrices of 16-bit elements; lane 8m + r names row r of matrix m. mode 1: transposed.
void LoadMatrix(Warp& warp, const Ins& in, uint32_t) {
  const uint32_t* list = &warp.block->program().lists[in.list];
  SharedMemory& shared = warp.block->shared();
  for (uint32_t m = 0; m < in.count; ++m) {
    uint16_t rows[8][8];
    for (uint32_t row = 0; row < 8; ++row) {
      const uint32_t lane = m * 8 + row;
      uint64_t address = ((in.a & 1) != 0 ? warp.Row<uint32_t>(in.a & ~1u)[lane] : warp.Row<uint64_t>(in.a)[lane]) + static_cast<uint64_t>(in.offset);
      // Whichever lane reads, it is the warp that waits for what its own lanes wrote.
      std::memcpy(rows[row], shared.Read(static_cast<uint32_t>(address), 16, warp.AccessOf(lane)), 16);
    }
    auto* d = warp.Row<uint32_t>(list[m]);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const uint32_t row = lane >> 2, pair = (lane & 3) * 2;
      d[lane] = in.mode == 0 ? rows[row][pair] | static_cast<uint32_t>(rows[row][pair + 1]) << 16 : rows[pair][row] | static_cast<uint32_t>(rows[pair + 1][row]) << 16;
    }
  }
}

void Fragments(Decoder& decoder, const Statement& s, Ins& in, std::initializer_list<size_t> counts) {
  std::vector<uint32_t> rows;
  size_t index = 0;
  for (const size_t count : counts) {
    for (const Operand& item : Decoder::Items(s, index, count)) rows.push_back(index == 0 ? decoder.Target(s, item) : decoder.Source(s, item, Type::B32));
    ++index;
  }
  in.list = decoder.List(rows);
}

}  // namespace

bool DecodeTensor(Decoder& decoder, const Statement& s, Ins& in) {
  if (s.words[0] == "mma") {
    in.flow = Flow::Converge;
    const std::string& text = s.text;
    if (text == "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" || text == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") {
      in.run = &Mma<16>;
      Fragments(decoder, s, in, {4, 4, 2, 4});
    } else if (text == "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32" || text == "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32") {
      in.run = &Mma<8>;
      Fragments(decoder, s, in, {4, 2, 1, 4});
    } else if (text == "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32") {
      in.run = &MmaBytes;
      Fragments(decoder, s, in, {4, 4, 2, 4});
    } else {
      Decoder::Unknown(s);
    }
    in.offset = s.Has("bf16") ? 1 : 0;
    return true;
  }
  if (s.words[0] != "ldmatrix") return false;
  Decoder::Words(s, "sync aligned m8n8 x1 x2 x4 trans shared");
  Decoder::Count(s, 2);
  in.flow = Flow::Converge;
  in.run = &LoadMatrix;
  in.count = s.Has("x4") ? 4 : s.Has("x2") ? 2 : 1;
  in.mode = s.Has("trans") ? 1 : 0;
  std::vector<uint32_t> rows;
  for (const Operand& item : Decoder::Items(s, 0, in.count)) rows.push_back(decoder.Target(s, item));
  in.list = decoder.List(rows);
  decoder.Address(s, s.operands[1], in.a, in.offset);
  decoder.SharedAccess(16);
  return true;
}

}  // namespace grsim
