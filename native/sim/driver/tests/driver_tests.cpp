// The driver API as a program sees it: handles, streams, graphs, limits, injected failures, a lost device.
#include <cstring>

#include "../api/cuda_api.h"
#include "check.h"

using namespace grsim::test;

extern "C" {
int grsim_set(const char* name, const char* value);
long long grsim_count(const char* name);
CUresult cuInit(unsigned int);
CUresult cuDeviceGetAttribute(int*, CUdevice_attribute, CUdevice);
CUresult cuDevicePrimaryCtxRetain(CUcontext*, CUdevice);
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice);
CUresult cuCtxSetCurrent(CUcontext);
CUresult cuModuleLoadData(CUmodule*, const void*);
CUresult cuModuleUnload(CUmodule);
CUresult cuModuleGetFunction(CUfunction*, CUmodule, const char*);
CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int);
CUresult cuMemAlloc_v2(CUdeviceptr*, size_t);
CUresult cuMemFree_v2(CUdeviceptr);
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr, const void*, size_t, CUstream);
CUresult cuMemcpyDtoHAsync_v2(void*, CUdeviceptr, size_t, CUstream);
CUresult cuStreamCreate(CUstream*, unsigned int);
CUresult cuStreamDestroy_v2(CUstream);
CUresult cuStreamSynchronize(CUstream);
CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned int);
CUresult cuStreamQuery(CUstream);
CUresult cuEventCreate(CUevent*, unsigned int);
CUresult cuEventDestroy_v2(CUevent);
CUresult cuEventRecord(CUevent, CUstream);
CUresult cuLaunchKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**);
CUresult cuStreamBeginCapture_v2(CUstream, CUstreamCaptureMode);
CUresult cuStreamEndCapture(CUstream, CUgraph*);
CUresult cuGraphInstantiateWithFlags(CUgraphExec*, CUgraph, unsigned long long);
CUresult cuGraphLaunch(CUgraphExec, CUstream);
CUresult cuGraphExecDestroy(CUgraphExec);
CUresult cuGraphDestroy(CUgraph);
}

namespace {

// words[i] += by for the first n words.
const char* kAdd =
    ".version 7.8\n.target sm_70\n.address_size 64\n.extern .shared .align 16 .b8 memory[];\n.visible .entry add(.param .u64 words, .param .u32 by, .param .u32 n)\n{\n"
    ".reg .pred %p<2>; .reg .b32 %r<6>; .reg .b64 %rd<4>;\nld.param.u64 %rd1, [words];\nld.param.u32 %r1, [by];\nld.param.u32 %r5, [n];\nmov.u32 %r2, %tid.x;\nsetp.ge.u32 %p1, %r2, %r5;\n@%p1 bra $END;\n"
    "mul.wide.u32 %rd2, %r2, 4;\nadd.s64 %rd3, %rd1, %rd2;\nld.global.u32 %r3, [%rd3];\nadd.s32 %r4, %r3, %r1;\nst.global.u32 [%rd3], %r4;\n$END:\nret;\n}\n";

void Ok(CUresult status) { GRSIM_EQUAL(0, static_cast<int>(status)); }

/// A context with the module, a stream and 32 words of 0; all gone at the end, and counted.
struct Machine {
  CUmodule module{};
  CUfunction add{};
  CUstream stream{};
  CUdeviceptr words{};
  uint32_t host[32] = {};

  Machine() {
    Ok(cuInit(0));
    CUcontext context{};
    Ok(cuDevicePrimaryCtxRetain(&context, 0));
    Ok(cuCtxSetCurrent(context));
    Ok(cuModuleLoadData(&module, kAdd));
    Ok(cuModuleGetFunction(&add, module, "add"));
    Ok(cuStreamCreate(&stream, 1));
    Ok(cuMemAlloc_v2(&words, sizeof host));
    Ok(cuMemcpyHtoDAsync_v2(words, host, sizeof host, stream));
  }
  ~Machine() {
    cuDevicePrimaryCtxRelease_v2(0);
    cuCtxSetCurrent(nullptr);
    grsim_set("FAIL", "");
    grsim_set("CC", "8.0");
    grsim_set("MEM", "16384");
    grsim_set("DELAY_US", "0");
    grsim_set("LOSS", "context");
  }
  CUresult Launch(uint32_t by, CUstream on, uint32_t n = 32, unsigned threads = 32, unsigned dynamic = 0) {
    void* parameters[] = {&words, &by, &n};
    return cuLaunchKernel(add, 1, 1, 1, threads, 1, 1, dynamic, on, parameters, nullptr);
  }
  uint32_t Read() {
    Ok(cuMemcpyDtoHAsync_v2(host, words, sizeof host, stream));
    Ok(cuStreamSynchronize(stream));
    return host[31];
  }
};

}  // namespace

GRSIM_TEST(Launch_OnAStream_InOrder) {
  Machine machine;
  Ok(machine.Launch(3, machine.stream));
  Ok(machine.Launch(4, machine.stream));
  GRSIM_EQUAL(7u, machine.Read());
}

GRSIM_TEST(Streams_WaitForEventsOfEachOther) {
  grsim_set("DELAY_US", "2000");
  Machine machine;
  CUstream other{};
  CUevent event{};
  Ok(cuStreamCreate(&other, 1));
  Ok(cuEventCreate(&event, 0));
  Ok(machine.Launch(3, machine.stream));
  Ok(cuEventRecord(event, machine.stream));
  Ok(cuStreamWaitEvent(other, event, 0));
  Ok(machine.Launch(4, other));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_NOT_READY), static_cast<int>(cuStreamQuery(other)));
  Ok(cuStreamSynchronize(other));
  GRSIM_EQUAL(7u, machine.Read());
  Ok(cuEventDestroy_v2(event));
  Ok(cuStreamDestroy_v2(other));
}

GRSIM_TEST(Graph_RunsWhatWasCapturedAgainAndAgain) {
  Machine machine;
  Ok(cuStreamSynchronize(machine.stream));
  Ok(cuStreamBeginCapture_v2(machine.stream, 0));
  Ok(machine.Launch(5, machine.stream));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED), static_cast<int>(cuStreamSynchronize(machine.stream)));
  CUgraph graph{};
  CUgraphExec executable{};
  Ok(cuStreamEndCapture(machine.stream, &graph));
  Ok(cuGraphInstantiateWithFlags(&executable, graph, 0));
  GRSIM_EQUAL(0u, machine.Read());
  for (int i = 0; i < 3; ++i) Ok(cuGraphLaunch(executable, machine.stream));
  GRSIM_EQUAL(15u, machine.Read());
  Ok(cuGraphExecDestroy(executable));
  Ok(cuGraphDestroy(graph));
}

GRSIM_TEST(Fault_OfAKernel_StaysUntilTheContextGoes) {
  {
    Machine machine;
    Ok(machine.Launch(1, machine.stream, 40, 64));
    GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_ILLEGAL_ADDRESS), static_cast<int>(cuStreamSynchronize(machine.stream)));
    CUdeviceptr more{};
    GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_ILLEGAL_ADDRESS), static_cast<int>(cuMemAlloc_v2(&more, 16)));
  }
  GRSIM_EQUAL(0ll, grsim_count("device_allocations"));
  GRSIM_EQUAL(0ll, grsim_count("streams"));
  Machine again;
  Ok(again.Launch(2, again.stream));
  GRSIM_EQUAL(2u, again.Read());
}

GRSIM_TEST(Failure_Injected_AnswersAtItsCall) {
  Machine machine;
  GRSIM_EQUAL(1, grsim_set("FAIL", "cuMemAlloc_v2:2:2"));
  CUdeviceptr first{}, second{};
  Ok(cuMemAlloc_v2(&first, 16));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_OUT_OF_MEMORY), static_cast<int>(cuMemAlloc_v2(&second, 16)));
  Ok(cuMemAlloc_v2(&second, 16));
  GRSIM_EQUAL(1, grsim_set("FAIL", "kernel:1:719"));
  Ok(machine.Launch(1, machine.stream));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_LAUNCH_FAILED), static_cast<int>(cuStreamSynchronize(machine.stream)));
}

GRSIM_TEST(Memory_BeyondTheDevice_IsRefused) {
  grsim_set("MEM", "1");
  Machine machine;
  CUdeviceptr more{};
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_OUT_OF_MEMORY), static_cast<int>(cuMemAlloc_v2(&more, 1 << 20)));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_VALUE), static_cast<int>(cuMemcpyDtoHAsync_v2(machine.host, machine.words, 129, machine.stream)));
}

GRSIM_TEST(SharedMemory_OfTuring_Is64KiB) {
  grsim_set("CC", "7.5");
  Machine machine;
  int limit = 0;
  Ok(cuDeviceGetAttribute(&limit, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
  GRSIM_EQUAL(65536, limit);
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_VALUE), static_cast<int>(machine.Launch(1, machine.stream, 32, 32, 49153)));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_VALUE), static_cast<int>(cuFuncSetAttribute(machine.add, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 65537)));
  Ok(cuFuncSetAttribute(machine.add, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 65536));
  Ok(machine.Launch(1, machine.stream, 32, 32, 65536));
  GRSIM_EQUAL(1u, machine.Read());
}

GRSIM_TEST(Handles_UsedAfterTheirEnd_AreRefused) {
  Machine machine;
  Ok(cuStreamSynchronize(machine.stream));
  Ok(cuMemFree_v2(machine.words));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_VALUE), static_cast<int>(cuMemFree_v2(machine.words)));
  Ok(cuStreamDestroy_v2(machine.stream));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_HANDLE), static_cast<int>(machine.Launch(1, machine.stream)));
  Ok(cuModuleUnload(machine.module));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_HANDLE), static_cast<int>(machine.Launch(1, nullptr)));
}

GRSIM_TEST(Image_OfAnotherKind_IsRefused) {
  Machine machine;
  CUmodule module{};
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_NO_BINARY_FOR_GPU), static_cast<int>(cuModuleLoadData(&module, "not a module, only some words of text")));
  GRSIM_EQUAL(static_cast<int>(CUDA_ERROR_INVALID_PTX), static_cast<int>(cuModuleLoadData(&module, ".version 7.8\n.target sm_70\n.visible .entry k()\n{\nwarble.u32;\n}\n")));
}

int main(int count, char** arguments) { return Main(count, arguments); }
