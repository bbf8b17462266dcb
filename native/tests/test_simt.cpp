// The host build itself: it must notice what it is there to notice. Each kernel here has one planted fault.
#include "check.h"
#include "exact_buffer.h"
#include "grpcrec/device.cuh"

namespace {

struct Args {
  const uint4* in;
  unsigned* out;
};

GR_KERNEL(test_divergent_barrier, Args, 64, 1) {
  if (threadIdx.x < 32) __syncthreads();
  else __syncthreads();
  args.out[threadIdx.x] = 1;
}

GR_KERNEL(test_missed_barrier, Args, 64, 1) {
  if (threadIdx.x == 5) (void)__ballot_sync(0xffffffffu, true);
  __syncthreads();
  args.out[threadIdx.x] = 1;
}

GR_KERNEL(test_divergent_vote, Args, 32, 1) { args.out[threadIdx.x] = threadIdx.x < 9 ? __ballot_sync(0xffffffffu, true) : 0; }

GR_KERNEL(test_partial_mask, Args, 32, 1) { args.out[threadIdx.x] = __ballot_sync(0xffffu, true); }

GR_KERNEL(test_unaligned_row, Args, 32, 1) {
  GR_SHARED(unsigned char, bytes, 1024);
  unsigned r[4];
  gr_ldmatrix4(r, bytes + 16 * threadIdx.x + (threadIdx.x == 3 ? 8 : 0));
  args.out[threadIdx.x] = r[0];
}

GR_KERNEL(test_copy_not_waited_for, Args, 32, 1) {
  GR_SHARED(uint4, copies, 32);
  gr_copy16(&copies[threadIdx.x], &args.in[threadIdx.x]);
  __syncthreads();
  args.out[threadIdx.x] = copies[threadIdx.x].x;
  gr_copy_wait();
}

GR_KERNEL(test_copy_left, Args, 32, 1) {
  GR_SHARED(uint4, copies, 32);
  gr_copy16(&copies[threadIdx.x], &args.in[threadIdx.x]);
}

GR_KERNEL(test_unwritten_shared, Args, 32, 1) {
  GR_SHARED(unsigned, words, 33);
  words[threadIdx.x] = threadIdx.x;
  __syncthreads();
  args.out[threadIdx.x] = words[threadIdx.x + 1];
}

GR_KERNEL(test_sound, Args, 64, 1) {
  GR_SHARED(unsigned, words, 64);
  words[threadIdx.x] = args.in[threadIdx.x].x;
  __syncthreads();
  args.out[threadIdx.x] = words[63 - threadIdx.x] + __shfl_xor_sync(0xffffffffu, threadIdx.x, 1);
}

std::string run(const char* kernel, unsigned threads, ExactBuffer<unsigned>& out) {
  ExactBuffer<uint4> in((size_t)64);
  for (unsigned i = 0; i < 64; ++i) in[i] = {i, i, i, i};
  out = ExactBuffer<unsigned>((size_t)64);
  const Args args{in.data(), out.data()};
  return simt::launch(kernel, {1}, {threads}, 0, &args);
}

void add_caught(const char* name, const char* kernel, unsigned threads, const char* due) {
  // Not for ThreadSanitizer: threads that never end never hand over what they wrote.
  add_test(name, false, [=] {
    ExactBuffer<unsigned> out;
    const std::string error = run(kernel, threads, out);
    if (error.find(due) == std::string::npos) fail_test("the error is '%s' and '%s' was due", error.c_str(), due);
  });
}

}  // namespace

int kernels_capability() { return GR_ARCH; }

void add_simt_tests() {
  add_caught("Simt_DivergentBarrier_Caught", "test_divergent_barrier", 64, "different barriers");
  add_caught("Simt_MissedBarrier_Caught", "test_missed_barrier", 64, "deadlock");
  add_caught("Simt_DivergentVote_Caught", "test_divergent_vote", 32, "deadlock");
  add_caught("Simt_PartialMask_Caught", "test_partial_mask", 32, "some lanes only");
  add_caught("Simt_UnalignedRow_Caught", "test_unaligned_row", 32, "not aligned");
  add_caught("Simt_CopyLeftBehind_Caught", "test_copy_left", 32, "never waited for");
  add_caught("Simt_UnknownKernel_Refused", "test_no_such", 32, "no such kernel");
  add_caught("Simt_TooManyThreads_Refused", "test_divergent_vote", 64, "not one it is compiled for");
  add_test("Simt_CopyNotWaitedFor_ReadsNothing", false, [] {  // a race, so not for ThreadSanitizer
    ExactBuffer<unsigned> out;
    check_launch(run("test_copy_not_waited_for", 32, out));
    if (out[3] == 3) fail_test("a copy that nobody waited for was there");
  });
  add_test("Simt_UnwrittenShared_ReadsNothing", true, [] {
    ExactBuffer<unsigned> out;
    check_launch(run("test_unwritten_shared", 32, out));
    if (out[31] != 0xffffffffu) fail_test("shared memory that nobody wrote holds %u", out[31]);
  });
  add_test("Simt_SoundKernel_Runs", true, [] {
    ExactBuffer<unsigned> out;
    check_launch(run("test_sound", 64, out));
    for (unsigned i = 0; i < 64; ++i)
      if (out[i] != 63 - i + (i % 32 ^ 1) + i / 32 * 32) fail_test("out[%u] is %u", i, out[i]);
  });
}
