// wmma: Volta's tensor products. Where an element lies in the lanes is the driver's secret, so here too: element i of a matrix is
// register i % n of lane i / n, with as many elements a lane as it takes; registers beyond repeat the first ones.
#include "handlers.h"

namespace grsim {
namespace {

struct Shape { uint32_t m, n, k; };

// mode of an instruction: what its matrices are.
constexpr uint32_t kColumnMajor = 1, kBf16 = 2, kColumnMajorB = 4;

bool ShapeOf(const Statement& s, Shape& shape) {
  if (s.Has("m16n16k16")) shape = {16, 16, 16};
  else if (s.Has("m32n8k16")) shape = {32, 8, 16};
  else if (s.Has("m8n32k16")) shape = {8, 32, 16};
  else return false;
  return true;
}

struct Place { Space space; uint64_t address; };

/// All lanes name the same matrix.
Place PlaceOf(const Warp& warp, const Ins& in) {
  uint64_t address = ((in.a & 1) != 0 ? warp.Row<uint32_t>(in.a & ~1u)[0] : warp.Row<uint64_t>(in.a)[0]) + static_cast<uint64_t>(in.offset);
  auto space = static_cast<Space>(in.e);
  if (space == Space::Generic) {
    space = (address & kWindowMask) == kSharedWindow ? Space::Shared : Space::Global;
    if (space == Space::Shared) address -= kSharedWindow;
  }
  // The rows of a matrix are read in pieces of 16 bytes.
  if (address % 16 != 0) throw Trap{kMisaligned, "a wmma matrix at " + Block::Hex(address) + " is not aligned to 16 bytes"};
  return {space, address};
}

uint8_t* Element(Warp& warp, const Place& place, uint64_t byte, uint32_t bytes, uint32_t lane, bool writes) {
  const uint64_t address = place.address + byte;
  if (place.space != Space::Shared) return warp.block->Global(address, bytes);
  SharedMemory& shared = warp.block->shared();
  const Access access = warp.AccessOf(lane);
  return writes ? shared.Write(static_cast<uint32_t>(address), bytes, access) : const_cast<uint8_t*>(shared.Read(static_cast<uint32_t>(address), bytes, access));
}

/// target: rows × columns of 2 (T = uint16_t) or 4 bytes. count: registers; b: row of the leading dimension; target: rows << 16 | columns.
template <class T, bool Writes>
void Transfer(Warp& warp, const Ins& in, uint32_t) {
  const uint32_t rows = in.target >> 16, columns = in.target & 0xFFFF, total = rows * columns;
  const uint32_t* list = &warp.block->program().lists[in.list];
  const uint64_t ld = warp.Row<uint32_t>(in.b)[0];
  const Place place = PlaceOf(warp, in);
  if (ld * sizeof(T) % 16 != 0) throw Trap{kMisaligned, "the leading dimension " + std::to_string(ld) + " of a wmma matrix is not a multiple of 16 bytes"};
  constexpr uint32_t kPerRegister = 4 / sizeof(T);
  const uint32_t per_lane = total / 32, held = in.count * kPerRegister;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    for (uint32_t i = 0; i < (Writes ? per_lane : held); ++i) {
      const uint32_t element = lane * per_lane + i % per_lane, row = element / columns, column = element % columns;
      const uint64_t at = (in.mode & kColumnMajor) != 0 ? column * ld + row : row * ld + column;
      T* memory = reinterpret_cast<T*>(Element(warp, place, at * sizeof(T), sizeof(T), lane, Writes));
      uint32_t& cell = warp.Row<uint32_t>(list[i / kPerRegister])[lane];
      const uint32_t shift = i % kPerRegister * 8 * sizeof(T);
      if (Writes) *memory = static_cast<T>(cell >> shift);
      else cell = shift == 0 ? static_cast<uint32_t>(*memory) : cell | static_cast<uint32_t>(*memory) << shift;
    }
  }
}

/// list: d, a, b, c of 8 registers each but for bf16 (4). Sums in float32 in ascending k.
void Multiply(Warp& warp, const Ins& in, uint32_t) {
  const uint32_t m = in.target >> 16, n = in.target & 0xFFFF, halves = in.bytes;
  const uint32_t* list = &warp.block->program().lists[in.list];
  float a[32 * 16], b[16 * 32];
  const auto read = [&](float* matrix, uint32_t total, const uint32_t* registers) {
    const uint32_t per_lane = total / 32;
    for (uint32_t element = 0; element < total; ++element) {
      const uint32_t i = element % per_lane, bits = warp.Row<uint32_t>(registers[i / 2])[element / per_lane] >> (i % 2 * 16);
      matrix[element] = (in.mode & kBf16) != 0 ? FromBf16(static_cast<uint16_t>(bits)) : static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits)));
    }
  };
  read(a, m * 16, list + 8);
  read(b, 16 * n, list + 8 + halves);
  const uint32_t* c = list + 8 + 2 * halves;
  for (uint32_t element = 0; element < m * n; ++element) {
    const uint32_t row = element / n, column = element % n;
    float sum = warp.Row<float>(c[element % 8])[element / 8];
    for (uint32_t k = 0; k < 16; ++k) sum += a[row * 16 + k] * b[k * n + column];
    // Each lane's c is read before its d is written: element by element, at the same place.
    warp.Row<float>(list[element % 8])[element / 8] = sum;
  }
  ++warp.block->stats().tensor_products;
}

}  // namespace

bool DecodeWmma(Decoder& decoder, const Statement& s, Ins& in) {
  if (s.words[0] != "wmma") return false;
  Shape shape{};
  if (s.words.size() < 3 || !ShapeOf(s, shape)) Decoder::Unknown(s);
  Decoder::Words(s, "load store mma a b c d sync aligned row col shared global m16n16k16 m32n8k16 m8n32k16");
  in.flow = Flow::Converge;
  const auto registers = [&](size_t index, size_t count, std::vector<uint32_t>& rows, bool target) {
    for (const Operand& item : Decoder::Items(s, index, count)) rows.push_back(target ? decoder.Target(s, item) : decoder.Source(s, item, Type::B32));
  };
  std::vector<uint32_t> rows;
  if (s.words[1] == "mma") {
    // d and c in float32; the words are the layouts of a and b, then the types. Layouts were settled by the loads.
    if (!s.Has("f32") || s.Has("f16")) Decoder::Unknown(s);
    Decoder::Count(s, 4);
    in.mode = s.Has("bf16") ? kBf16 : 0;
    in.bytes = s.Has("bf16") ? 4 : 8;
    for (size_t i = 0; i < 4; ++i) registers(i, i == 1 || i == 2 ? in.bytes : 8, rows, i == 0);
    in.run = &Multiply;
    in.target = shape.m << 16 | shape.n;
  } else {
    const bool load = s.words[1] == "load";
    const char which = s.words[2][0];
    const Type type = LastType(s);
    const bool sums = which == 'c' || which == 'd';
    if ((!sums && type != Type::F16 && type != Type::BF16) || (sums && type != Type::F32)) Decoder::Unknown(s);
    Decoder::Count(s, 3);
    const size_t count = type == Type::BF16 ? 4 : 8;
    registers(load ? 0 : 1, count, rows, load);
    decoder.Address(s, s.operands[load ? 1 : 0], in.a, in.offset);
    in.b = decoder.Source(s, 2, Type::U32);
    in.e = static_cast<uint32_t>(s.Has("shared") ? Space::Shared : s.Has("global") ? Space::Global : Space::Generic);
    in.mode = s.Has("col") ? kColumnMajor : 0;
    in.target = which == 'a' ? shape.m << 16 | shape.k : which == 'b' ? shape.k << 16 | shape.n : shape.m << 16 | shape.n;
    in.run = sums ? load ? &Transfer<uint32_t, false> : &Transfer<uint32_t, true> : &Transfer<uint16_t, false>;
    if (static_cast<Space>(in.e) != Space::Global) decoder.SharedAccess(sums ? 4 : 2);
  }
  in.count = static_cast<uint32_t>(rows.size());
  in.list = decoder.List(rows);
  return true;
}

}  // namespace grsim
