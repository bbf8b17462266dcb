// What instructions compute, against the same in C++.
#include <cmath>

#include "machine.h"

using namespace grsim;
using namespace grsim::test;

namespace {

/// One result for each lane from %r1, the lane.
std::vector<uint32_t> Lanes(const std::string& body) {
  const Result result = Execute(body + "\nst.global.u32 [%rd2], %r10;");
  if (result.trap) throw Failure{result.trap->what};
  return {result.out.begin(), result.out.begin() + 32};
}

template <class F> void EachLane(const std::string& body, F expected) {
  const auto actual = Lanes(body);
  for (uint32_t lane = 0; lane < 32; ++lane) GRSIM_EQUAL(static_cast<uint32_t>(expected(lane)), actual[lane]);
}

uint32_t Bits(float value) { return std::bit_cast<uint32_t>(value); }

}  // namespace

GRSIM_TEST(Integers_OfAllWidths) {
  EachLane("mul.lo.s32 %r10, %r1, -7;", [](uint32_t l) { return l * static_cast<uint32_t>(-7); });
  EachLane("mov.u32 %r2, 4000000000;\nmad.wide.u32 %rd3, %r1, %r2, 5;\nshr.u64 %rd3, %rd3, 8;\ncvt.u32.u64 %r10, %rd3;", [](uint32_t l) { return (l * 4000000000ull + 5) >> 8; });
  EachLane("sub.s32 %r2, %r1, 16;\nmov.u32 %r3, 3;\ndiv.s32 %r10, %r2, %r3;", [](uint32_t l) { return (static_cast<int>(l) - 16) / 3; });
  EachLane("sub.s32 %r2, %r1, 16;\nrem.s32 %r10, %r2, 5;", [](uint32_t l) { return (static_cast<int>(l) - 16) % 5; });
  EachLane("sub.s32 %r2, %r1, 16;\nmax.s32 %r10, %r2, -3;", [](uint32_t l) { return std::max(static_cast<int>(l) - 16, -3); });
  EachLane("cvt.u16.u32 %rs1, %r1;\nsub.s16 %rs2, %rs1, 10;\ncvt.s32.s16 %r10, %rs2;", [](uint32_t l) { return static_cast<int>(l) - 10; });
  EachLane("sub.s32 %r2, %r1, 16;\nmul.hi.s32 %r10, %r2, 2000000000;", [](uint32_t l) { return (static_cast<int64_t>(l) - 16) * 2000000000ll >> 32; });
}

GRSIM_TEST(Bits_FieldsAndCounts) {
  EachLane("shl.b32 %r2, %r1, 3;\nbfe.u32 %r10, %r2, 2, 4;", [](uint32_t l) { return l << 3 >> 2 & 15; });
  EachLane("bfi.b32 %r10, %r1, 65535, 4, 8;", [](uint32_t l) { return (0xFFFFu & ~0xFF0u) | l << 4; });
  EachLane("brev.b32 %r2, %r1;\nbfind.shiftamt.u32 %r10, %r2;", [](uint32_t l) { return l == 0 ? 0xFFFFFFFFu : static_cast<uint32_t>(std::countr_zero(l)); });
  EachLane("popc.b32 %r10, %r1;", [](uint32_t l) { return static_cast<uint32_t>(std::popcount(l)); });
  EachLane("shf.l.wrap.b32 %r10, %r1, 257, %r1;", [](uint32_t l) { return static_cast<uint32_t>((257ull << 32 | l) << l >> 32); });
  EachLane("lop3.b32 %r10, %r1, 21, 6, 0x96;", [](uint32_t l) { return l ^ 21 ^ 6; });
  EachLane("prmt.b32 %r10, %r1, 305419896, 0x4710;", [](uint32_t l) { return (l & 0xFFFF) | 0x12 << 16 | 0x78u << 24; });
  EachLane("sub.s32 %r2, %r1, 40;\nshr.s32 %r10, %r2, 2;", [](uint32_t l) { return (static_cast<int>(l) - 40) >> 2; });
}

GRSIM_TEST(Floats_AndConversions) {
  EachLane("cvt.rn.f32.u32 %f1, %r1;\nfma.rn.f32 %f2, %f1, 0f40200000, 0fBF800000;\nmov.b32 %r10, %f2;", [](uint32_t l) { return Bits(std::fma(static_cast<float>(l), 2.5f, -1.f)); });
  EachLane("cvt.rn.f32.u32 %f1, %r1;\nmul.f32 %f1, %f1, 0f3DCCCCCD;\ncvt.rn.f16.f32 %rs1, %f1;\ncvt.f32.f16 %f2, %rs1;\nmov.b32 %r10, %f2;",
           [](uint32_t l) { return Bits(static_cast<float>(static_cast<_Float16>(static_cast<float>(l) * 0.1f))); });
  EachLane("cvt.rn.f32.u32 %f1, %r1;\nsub.f32 %f1, %f1, 0f41200000;\nmul.f32 %f1, %f1, 0f3E99999A;\ncvt.rzi.s32.f32 %r10, %f1;", [](uint32_t l) { return static_cast<int>((static_cast<float>(l) - 10.f) * 0.3f); });
  EachLane("mov.f32 %f1, 0f7FC00000;\ncvt.rzi.s32.f32 %r10, %f1;", [](uint32_t) { return 0; });
  EachLane("cvt.rn.f32.u32 %f1, %r1;\nex2.approx.ftz.f32 %f2, %f1;\nmov.b32 %r10, %f2;", [](uint32_t l) { return Bits(std::exp2(static_cast<float>(l))); });
  EachLane("mov.f32 %f1, 0f7FC00000;\nmov.f32 %f2, 0f3F800000;\nsetp.ltu.f32 %p1, %f1, %f2;\nsetp.lt.f32 %p2, %f1, %f2;\nselp.u32 %r2, 1, 0, %p1;\nselp.u32 %r3, 2, 0, %p2;\nor.b32 %r10, %r2, %r3;", [](uint32_t) { return 1; });
}

GRSIM_TEST(Tanh_IsAsFarOffAsItMay) {
  bool off = false;
  const auto actual = Lanes("cvt.rn.f32.u32 %f1, %r1;\nmul.f32 %f1, %f1, 0f3DCCCCCD;\ntanh.approx.f32 %f2, %f1;\nmov.b32 %r10, %f2;");
  for (uint32_t lane = 1; lane < 32; ++lane) {
    const float exact = std::tanh(static_cast<float>(lane) * 0.1f), value = std::bit_cast<float>(actual[lane]);
    GRSIM_CHECK(std::fabs(value - exact) <= exact / 2048);
    off |= std::fabs(value - exact) > exact / 8192;
  }
  GRSIM_CHECK(off);
}

GRSIM_TEST(Branches_DivergeAndMeet) {
  // A loop of as many turns as the lane's number, then a shuffle of all.
  EachLane("mov.u32 %r2, 0;\nmov.u32 %r3, 0;\n$LOOP:\nsetp.ge.u32 %p1, %r2, %r1;\n@%p1 bra $DONE;\nadd.s32 %r3, %r3, %r2;\nadd.s32 %r2, %r2, 1;\nbra.uni $LOOP;\n$DONE:\n"
           "shfl.sync.bfly.b32 %r4, %r3, 1, 31, -1;\nadd.s32 %r10, %r3, %r4;",
           [](uint32_t l) { const uint32_t m = l ^ 1; return (l == 0 ? 0 : l * (l - 1) / 2) + (m == 0 ? 0 : m * (m - 1) / 2); });
}

GRSIM_TEST(Votes_AndShuffles) {
  EachLane("and.b32 %r2, %r1, 3;\nsetp.eq.u32 %p1, %r2, 0;\nvote.sync.ballot.b32 %r10, %p1, -1;", [](uint32_t) { return 0x11111111u; });
  EachLane("shfl.sync.up.b32 %r10|%p1, %r1, 3, 0, -1;\n@!%p1 add.s32 %r10, %r10, 100;", [](uint32_t l) { return l >= 3 ? l - 3 : l + 100; });
  EachLane("shfl.sync.idx.b32 %r10, %r1, 2, 0x181f, -1;", [](uint32_t l) { return (l & 24) | 2; });
  EachLane("and.b32 %r2, %r1, 1;\nmatch.any.sync.b32 %r10, %r2, -1;", [](uint32_t l) { return (l & 1) != 0 ? 0xAAAAAAAAu : 0x55555555u; });
  EachLane("redux.sync.add.u32 %r10, %r1, -1;", [](uint32_t) { return 496; });
}

GRSIM_TEST(Memory_LocalGenericAndScopes) {
  // An array in local memory through a generic address; a register of an inner block that hides the outer one.
  EachLane(".local .align 16 .b8 depot[32];\nmov.u64 %rd3, depot;\ncvta.local.u64 %rd4, %rd3;\nst.u32 [%rd4+8], %r1;\nld.local.u32 %r10, [%rd3+8];", [](uint32_t l) { return l; });
  EachLane("mov.u32 %r2, 7;\n{\n.reg .b32 %r2;\nmov.u32 %r2, %r1;\nadd.s32 %r10, %r2, 1;\n}\nadd.s32 %r10, %r10, %r2;", [](uint32_t l) { return l + 8; });
  EachLane("mov.b64 %rd3, {%r1, %r1};\nmov.b64 {%r3, %r4}, %rd3;\nadd.s32 %r10, %r3, %r4;", [](uint32_t l) { return 2 * l; });
}

GRSIM_TEST(Atomics_OfManyBlocks_LoseNothing) {
  const Result result = Execute("setp.eq.u32 %p1, %r1, 77;\nred.global.add.u32 [%rd1+4], 1;", Shape{.blocks = 200, .threads = 64, .options = {.threads = 4}});
  GRSIM_EQUAL(0xDEADBEEFu + 200 * 64, result.out[1]);
}

GRSIM_TEST(Mma_IsTheProduct) {
  // a[i][k] = (i + 3k) % 7, b[k][j] = (2k + j) % 5, in f16; the fragments are made here as the manual places them.
  std::string body;
  const auto element = [&](const std::string& target, const std::string& row, const std::string& column, int x, int y, int m) {
    body += "mul.lo.s32 %r20, " + row + ", " + std::to_string(x) + ";\nmad.lo.s32 %r20, " + column + ", " + std::to_string(y) + ", %r20;\nrem.u32 %r20, %r20, " + std::to_string(m) +
            ";\ncvt.rn.f32.u32 %f20, %r20;\ncvt.rn.f16.f32 " + target + ", %f20;\n";
  };
  body += "shr.u32 %r2, %r1, 2;\nand.b32 %r3, %r1, 3;\nshl.b32 %r3, %r3, 1;\n";
  for (int i = 0; i < 4; ++i) {
    body += "add.s32 %r4, %r2, " + std::to_string((i & 1) * 8) + ";\nadd.s32 %r5, %r3, " + std::to_string((i >> 1) * 8) + ";\nadd.s32 %r6, %r5, 1;\n";
    element("%rs1", "%r4", "%r5", 1, 3, 7);
    element("%rs2", "%r4", "%r6", 1, 3, 7);
    body += "mov.b32 %r" + std::to_string(30 + i) + ", {%rs1, %rs2};\n";
  }
  for (int i = 0; i < 2; ++i) {
    body += "add.s32 %r5, %r3, " + std::to_string(i * 8) + ";\nadd.s32 %r6, %r5, 1;\n";
    element("%rs1", "%r5", "%r2", 2, 1, 5);
    element("%rs2", "%r6", "%r2", 2, 1, 5);
    body += "mov.b32 %r" + std::to_string(40 + i) + ", {%rs1, %rs2};\n";
  }
  body += "mov.f32 %f1, 0f3F800000;\nmma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f2, %f3, %f4, %f5}, {%r30, %r31, %r32, %r33}, {%r40, %r41}, {%f1, %f1, %f1, %f1};\n"
          "mul.wide.u32 %rd3, %r1, 16;\nadd.s64 %rd3, %rd1, %rd3;\nst.global.v4.f32 [%rd3], {%f2, %f3, %f4, %f5};\n";
  const Result result = Execute(body, Shape{.words = 128});
  if (result.trap) throw Failure{result.trap->what};
  for (int lane = 0; lane < 32; ++lane)
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + (e >> 1) * 8, column = lane % 4 * 2 + (e & 1);
      int expected = 1;
      for (int k = 0; k < 16; ++k) expected += (row + 3 * k) % 7 * ((2 * k + column) % 5);
      GRSIM_EQUAL(static_cast<float>(expected), std::bit_cast<float>(result.out[static_cast<size_t>(lane * 4 + e)]));
    }
}

GRSIM_TEST(Wmma_IsTheProduct) {
  // 32×16 of a at 0, 16×8 of b by columns at 1024, both 24 elements from row to row; d by columns at 4096.
  const std::string fill =
      ".shared .align 128 .b8 m[8192];\nmov.u32 %r2, m;\nmov.u32 %r3, 0;\n$A:\nmul.lo.s32 %r4, %r3, 48;\nshl.b32 %r5, %r1, 1;\nadd.s32 %r4, %r4, %r5;\nadd.s32 %r4, %r4, %r2;\n"
      "mad.lo.s32 %r6, %r1, 3, %r3;\nrem.u32 %r6, %r6, 7;\ncvt.rn.f32.u32 %f1, %r6;\ncvt.rn.f16.f32 %rs1, %f1;\nsetp.lt.u32 %p1, %r1, 16;\n@%p1 st.shared.u16 [%r4], %rs1;\n"
      "mad.lo.s32 %r6, %r1, 2, %r3;\nrem.u32 %r6, %r6, 5;\ncvt.rn.f32.u32 %f1, %r6;\ncvt.rn.f16.f32 %rs1, %f1;\nsetp.lt.and.u32 %p2, %r3, 8, %p1;\n@%p2 st.shared.u16 [%r4+2048], %rs1;\n"
      "add.s32 %r3, %r3, 1;\nsetp.lt.u32 %p3, %r3, 32;\n@%p3 bra $A;\nbar.warp.sync -1;\n";
  const std::string body = fill +
      "mov.u32 %r7, 24;\nadd.s32 %r8, %r2, 2048;\nadd.s32 %r9, %r2, 4096;\nmov.f32 %f1, 0f40000000;\n"
      "wmma.load.a.sync.aligned.row.m32n8k16.shared.f16 {%r20,%r21,%r22,%r23,%r24,%r25,%r26,%r27}, [%r2], %r7;\n"
      "wmma.load.b.sync.aligned.col.m32n8k16.shared.f16 {%r30,%r31,%r32,%r33,%r34,%r35,%r36,%r37}, [%r8], %r7;\n"
      "wmma.mma.sync.aligned.row.col.m32n8k16.f32.f32 {%f20,%f21,%f22,%f23,%f24,%f25,%f26,%f27}, {%r20,%r21,%r22,%r23,%r24,%r25,%r26,%r27}, {%r30,%r31,%r32,%r33,%r34,%r35,%r36,%r37}, {%f1,%f1,%f1,%f1,%f1,%f1,%f1,%f1};\n"
      "mov.u32 %r11, 36;\nwmma.store.d.sync.aligned.col.m32n8k16.shared.f32 [%r9], {%f20,%f21,%f22,%f23,%f24,%f25,%f26,%f27}, %r11;\nbar.warp.sync -1;\n"
      "mov.u32 %r3, 0;\n$B:\nmul.lo.s32 %r4, %r3, 144;\nshl.b32 %r5, %r1, 2;\nadd.s32 %r4, %r4, %r5;\nadd.s32 %r4, %r4, %r9;\nld.shared.u32 %r10, [%r4];\n"
      "shl.b32 %r6, %r3, 5;\nadd.s32 %r6, %r6, %r1;\nmul.wide.u32 %rd3, %r6, 4;\nadd.s64 %rd3, %rd1, %rd3;\nst.global.u32 [%rd3], %r10;\nadd.s32 %r3, %r3, 1;\nsetp.lt.u32 %p3, %r3, 8;\n@%p3 bra $B;\n";
  const Result result = Execute(body, Shape{.words = 256});
  if (result.trap) throw Failure{result.trap->what};
  for (int column = 0; column < 8; ++column)
    for (int row = 0; row < 32; ++row) {
      int expected = 2;
      for (int k = 0; k < 16; ++k) expected += (row + 3 * k) % 7 * ((2 * k + column) % 5);
      GRSIM_EQUAL(static_cast<float>(expected), std::bit_cast<float>(result.out[static_cast<size_t>(column * 32 + row)]));
    }
}

GRSIM_TEST(Order_DoesNotChangeWhatIsSound) {
  const std::string body = ".shared .align 4 .b8 s[1024];\nmov.u32 %r2, s;\nshl.b32 %r3, %r1, 2;\nadd.s32 %r4, %r2, %r3;\nst.shared.u32 [%r4], %r1;\nbar.sync 0;\nxor.b32 %r5, %r3, 1020;\nadd.s32 %r5, %r5, %r2;\nld.shared.u32 %r6, [%r5];\nst.global.u32 [%rd2], %r6;";
  for (const Order order : {Order::Forward, Order::Reverse, Order::Random})
    for (uint64_t seed = 1; seed < 4; ++seed) {
      const Result result = Execute(body, Shape{.threads = 256, .words = 256, .options = {.order = order, .seed = seed}});
      GRSIM_CHECK(!result.trap);
      for (uint32_t i = 0; i < 256; ++i) GRSIM_EQUAL(255 - i, result.out[i]);
    }
}

int main(int count, char** arguments) { return Main(count, arguments); }
