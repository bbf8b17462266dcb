// One planted fault for each trap, and beside it the sound form, which must pass.
#include "machine.h"

using namespace grsim;
using namespace grsim::test;

namespace {

const std::string kTile = ".shared .align 16 .b8 tile[512];\n";

/// Each thread writes its word of shared memory and reads that of another warp.
std::string Exchange(const std::string& between) {
  return kTile + "shl.b32 %r2, %r1, 2;\nmov.u32 %r3, tile;\nadd.s32 %r3, %r3, %r2;\nst.shared.u32 [%r3], 0;\nbar.sync 0;\nst.shared.u32 [%r3], %r1;\n" + between +
         "xor.b32 %r4, %r2, 128;\nmov.u32 %r5, tile;\nadd.s32 %r5, %r5, %r4;\nld.shared.u32 %r6, [%r5];\nst.global.u32 [%rd2], %r6;\n";
}

/// The same within a warp.
std::string ExchangeLanes(const std::string& between) {
  return kTile + "shl.b32 %r2, %r1, 2;\nmov.u32 %r3, tile;\nadd.s32 %r3, %r3, %r2;\nst.shared.u32 [%r3], %r1;\n" + between +
         "xor.b32 %r4, %r2, 4;\nmov.u32 %r5, tile;\nadd.s32 %r5, %r5, %r4;\nld.shared.u32 %r6, [%r5];\nst.global.u32 [%rd2], %r6;\n";
}

std::string AsyncCopy(const std::string& wait) {
  return kTile + "st.global.u32 [%rd2], %r1;\nshl.b32 %r2, %r1, 4;\nand.b32 %r2, %r2, 127;\nmov.u32 %r3, tile;\nadd.s32 %r3, %r3, %r2;\nmov.u32 %r4, %laneid;\nsetp.lt.u32 %p1, %r4, 8;\n"
         "cvt.u64.u32 %rd3, %r2;\nadd.s64 %rd3, %rd1, %rd3;\n@%p1 cp.async.cg.shared.global [%r3], [%rd3], 16;\ncp.async.commit_group;\n" + wait +
         "ld.shared.u32 %r6, [%r3];\nst.global.u32 [%rd2], %r6;\n";
}

}  // namespace

GRSIM_TEST(Global_PastTheEnd_Traps) {
  GRSIM_TRAPS("700", "st.global.u32 [%rd2+128], %r1;", Shape{.words = 63});
  GRSIM_EQUAL(std::string(), TrapOf("st.global.u32 [%rd2+128], %r1;", Shape{.words = 64}));
}

GRSIM_TEST(Global_BeforeTheStart_Traps) { GRSIM_TRAPS("700", "ld.global.u32 %r2, [%rd1+-4];"); }

GRSIM_TEST(Global_Null_Traps) { GRSIM_TRAPS("no allocation", "mov.u64 %rd3, 0;\nld.global.u32 %r2, [%rd3];"); }

GRSIM_TEST(Global_Misaligned_Traps) { GRSIM_TRAPS("716", "ld.global.v2.u32 {%r2, %r3}, [%rd1+4];"); }

GRSIM_TEST(Shared_PastTheEnd_Traps) { GRSIM_TRAPS("700", kTile + "mov.u32 %r2, tile;\nst.shared.u32 [%r2+512], %r1;"); }

GRSIM_TEST(Shared_Misaligned_Traps) { GRSIM_TRAPS("716", kTile + "mov.u32 %r2, tile;\nst.shared.u32 [%r2+2], %r1;"); }

GRSIM_TEST(Shared_NeverWritten_Traps) { GRSIM_TRAPS("never written", kTile + "mov.u32 %r2, tile;\nld.shared.u32 %r3, [%r2];"); }

GRSIM_TEST(Shared_DynamicTooSmall_Traps) {
  const std::string body = "mov.u32 %r2, memory;\nshl.b32 %r3, %r1, 2;\nadd.s32 %r2, %r2, %r3;\nst.shared.u32 [%r2], %r1;";
  const std::string scope = ".extern .shared .align 16 .b8 memory[];\n";
  GRSIM_TRAPS("700", body, Shape{.dynamic_shared = 124}, scope);
  GRSIM_EQUAL(std::string(), TrapOf(body, Shape{.dynamic_shared = 128}, scope));
}

GRSIM_TEST(Race_BetweenWarps_Traps) {
  GRSIM_TRAPS("race", Exchange(""), Shape{.threads = 64});
  GRSIM_EQUAL(std::string(), TrapOf(Exchange("bar.sync 0;\n"), Shape{.threads = 64}));
}

GRSIM_TEST(Race_BetweenWarpsInReverse_Traps) { GRSIM_TRAPS("race", Exchange(""), Shape{.threads = 64, .options = {.order = Order::Reverse}}); }

GRSIM_TEST(Race_BetweenLanes_Traps) {
  GRSIM_TRAPS("race", ExchangeLanes(""));
  GRSIM_EQUAL(std::string(), TrapOf(ExchangeLanes("bar.warp.sync -1;\n")));
}

GRSIM_TEST(Race_ReadThenWrite_Traps) {
  const std::string body = Exchange("bar.sync 0;\n") + "mov.u32 %r7, tile;\nadd.s32 %r7, %r7, %r2;\nst.shared.u32 [%r7], %r6;\n";
  GRSIM_TRAPS("race", body, Shape{.threads = 64});
}

GRSIM_TEST(Race_AtomicsAlone_Pass) {
  const std::string body = kTile + "mov.u32 %r2, tile;\nsetp.eq.u32 %p1, %r1, 0;\nmov.u32 %r3, 0;\n@%p1 st.shared.u32 [%r2], %r3;\nbar.sync 0;\natom.shared.add.u32 %r4, [%r2], 1;\nbar.sync 0;\nld.shared.u32 %r5, [%r2];\nst.global.u32 [%rd2], %r5;";
  GRSIM_EQUAL(std::string(), TrapOf(body, Shape{.threads = 64}));
  GRSIM_EQUAL(64u, Execute(body, Shape{.threads = 64}).out[63]);
}

GRSIM_TEST(AsyncCopy_NotWaitedFor_Traps) {
  GRSIM_TRAPS("not waited for", AsyncCopy(""));
  GRSIM_TRAPS("not waited for", AsyncCopy("cp.async.wait_group 1;\n"));
  GRSIM_EQUAL(std::string(), TrapOf(AsyncCopy("cp.async.wait_group 0;\nbar.sync 0;\n")));
  GRSIM_TRAPS("race", AsyncCopy("cp.async.wait_group 0;\n"));
}

GRSIM_TEST(AsyncCopy_AtExit_Traps) {
  GRSIM_TRAPS("exits with asynchronous copies", kTile + "mov.u32 %r3, tile;\nsetp.eq.u32 %p1, %r1, 0;\nst.global.u32 [%rd2], %r1;\n@%p1 cp.async.cg.shared.global [%r3], [%rd1], 16;\ncp.async.commit_group;");
}

GRSIM_TEST(Barrier_InADivergentBranch_Traps) {
  GRSIM_TRAPS("deadlock", "setp.lt.u32 %p1, %r1, 16;\n@%p1 bra $L1;\nbar.sync 0;\nbra $L2;\n$L1:\nbar.sync 0;\n$L2:\n");
}

GRSIM_TEST(Converge_MissingLane_Traps) {
  GRSIM_TRAPS("deadlock", "setp.eq.u32 %p1, %r1, 5;\n@%p1 bra $L1;\nshfl.sync.idx.b32 %r2, %r1, 0, 31, -1;\n$L1:\n");
  GRSIM_TRAPS("own member mask", "shfl.sync.idx.b32 %r2, %r1, 0, 31, 1;");
}

GRSIM_TEST(Loop_Endless_Traps) { GRSIM_TRAPS("702", "$L1:\nbra $L1;", Shape{.options = {.max_instructions = 100'000}}); }

GRSIM_TEST(Decode_UnknownInstruction_NamesItsLine) {
  for (const std::string bad : {"tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f1, %f2}];", "add.cc.u32 %r2, %r1, %r1;", "fma.rz.f32 %f1, %f1, %f1, %f1;",
                                "ld.global.u32 %rd3, [%r1];", "bar.sync 1, 64;", "mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%f1}, {%r1}, {%r1}, {%f1};"}) {
    try {
      Execute("\n" + bad);
    } catch (const PtxError& error) {
      GRSIM_CHECK(std::string(error.what()).find("PTX line") == 0);
      continue;
    }
    throw Failure{"'" + bad + "' was taken"};
  }
}

int main(int count, char** arguments) { return Main(count, arguments); }
