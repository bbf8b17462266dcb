// Devices, contexts, errors; and the stand-in's own entry points for tests.
#include <cstdio>
#include <cstring>

#include "entry.h"

namespace grsim {

thread_local void* current_context = nullptr;

CUresult Enter(const char* call, bool needs_context) {
  const Driver& driver = Driver::Get();
  if (const int injected = Settings::Get().Injected(call); injected != 0) return Status(injected);
  if (!driver.initialized) return CUDA_ERROR_NOT_INITIALIZED;
  if (needs_context && !driver.IsCurrent(current_context)) return current_context == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_CONTEXT_IS_DESTROYED;
  if (needs_context && driver.sticky() != 0) return Status(driver.sticky());
  return CUDA_SUCCESS;
}

CUresult Enqueue(CUstream stream, Job job) {
  Stream* found = Driver::Get().Find(stream);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  found->Push(std::move(job));
  return CUDA_SUCCESS;
}

namespace {

int AttributeOf(int attribute) {
  const Capability& capability = Settings::Get().capability();
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7FFFFFFF;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return capability.multiprocessors;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return capability.l2_mib << 20;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return capability.threads_per_multiprocessor;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 2;
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return capability.number / 10;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return capability.number % 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return capability.shared_per_multiprocessor << 10;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return capability.shared_per_block << 10;
    default: return -1;
  }
}

}  // namespace
}  // namespace grsim

using namespace grsim;

GRSIM_API cuInit(unsigned int flags) {
  if (const int injected = Settings::Get().Injected(__func__); injected != 0) return Status(injected);
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (Settings::Get().devices == 0) return CUDA_ERROR_NO_DEVICE;
  Driver::Get().initialized = true;
  return CUDA_SUCCESS;
}

GRSIM_API cuDeviceGetCount(int* count) {
  GRSIM_ENTER(false);
  *count = Settings::Get().devices;
  return CUDA_SUCCESS;
}

GRSIM_API cuDeviceGet(CUdevice* device, int ordinal) {
  GRSIM_ENTER(false);
  if (ordinal < 0 || ordinal >= Settings::Get().devices) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

GRSIM_API cuDeviceGetName(char* name, int bytes, CUdevice) {
  GRSIM_ENTER(false);
  const int number = Settings::Get().capability().number;
  std::snprintf(name, static_cast<size_t>(bytes), "stand-in %d.%d", number / 10, number % 10);
  return CUDA_SUCCESS;
}

GRSIM_API cuDeviceTotalMem_v2(size_t* bytes, CUdevice) {
  GRSIM_ENTER(false);
  *bytes = Settings::Get().memory;
  return CUDA_SUCCESS;
}

GRSIM_API cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  GRSIM_ENTER(false);
  *value = AttributeOf(static_cast<int>(attribute));
  return *value < 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

GRSIM_API cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  GRSIM_ENTER(false);
  if (Driver::Get().sticky() != 0 && Settings::Get().loses_process) return Status(Driver::Get().sticky());
  *context = static_cast<CUcontext>(Driver::Get().Retain());
  return CUDA_SUCCESS;
}

GRSIM_API cuDevicePrimaryCtxRelease_v2(CUdevice) {
  GRSIM_ENTER(false);
  return Driver::Get().Release() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

GRSIM_API cuDevicePrimaryCtxReset_v2(CUdevice) {
  GRSIM_ENTER(false);
  Driver::Get().Reset();
  return CUDA_SUCCESS;
}

GRSIM_API cuCtxSetCurrent(CUcontext context) {
  GRSIM_ENTER(false);
  if (context != nullptr && !Driver::Get().IsCurrent(context)) return CUDA_ERROR_INVALID_CONTEXT;
  current_context = context;
  return CUDA_SUCCESS;
}

GRSIM_API cuCtxGetCurrent(CUcontext* context) {
  GRSIM_ENTER(false);
  *context = static_cast<CUcontext>(current_context);
  return CUDA_SUCCESS;
}

GRSIM_API cuCtxSynchronize() {
  GRSIM_ENTER(true);
  Driver::Get().WaitForAll();
  return Status(Driver::Get().sticky());
}

GRSIM_API cuGetErrorName(CUresult error, const char** name) {
  switch (static_cast<int>(error)) {
#define GRSIM_ERROR(name_, value) \
  case value: *name = #name_; return CUDA_SUCCESS;
#include "constants.inc"
    default: *name = nullptr; return CUDA_ERROR_INVALID_VALUE;
  }
}

GRSIM_API cuGetErrorString(CUresult error, const char** text) { return cuGetErrorName(error, text); }

/// For tests: changes a setting while the process runs. @return 0 where it was not understood
extern "C" __attribute__((visibility("default"))) int grsim_set(const char* name, const char* value) { return Settings::Get().Set(name, value) ? 1 : 0; }

/// For tests: what is alive, and what was done. -1: the name is not known.
extern "C" __attribute__((visibility("default"))) long long grsim_count(const char* name) {
  const Driver& driver = Driver::Get();
  const std::string what = name;
  const auto number = [](auto value) { return static_cast<long long>(value); };
  if (what == "device_allocations") return number(driver.memory.count(false));
  if (what == "host_allocations") return number(driver.memory.count(true));
  if (what == "device_bytes") return number(driver.memory.used());
  if (what == "streams") return number(driver.Count(driver.streams));
  if (what == "events") return number(driver.Count(driver.events));
  if (what == "modules") return number(driver.Count(driver.modules));
  if (what == "graphs") return number(driver.Count(driver.graphs) + driver.Count(driver.executables));
  if (what == "launches") return number(driver.counters.launches.load());
  if (what == "copies") return number(driver.counters.copies.load());
  if (what == "copied_bytes") return number(driver.counters.copied_bytes.load());
  if (what == "graph_launches") return number(driver.counters.graph_launches.load());
  return -1;
}
