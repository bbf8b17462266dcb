// Device memory, pinned memory, copies.
#include <cstring>

#include "entry.h"

using namespace grsim;

namespace {

Job Copy(void* to, const void* from, size_t bytes) {
  return [=] {
    ++Driver::Get().counters.copies;
    Driver::Get().counters.copied_bytes += bytes;
    std::memmove(to, from, bytes);
    return 0;
  };
}

void* Pointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

bool OnDevice(CUdeviceptr address, size_t bytes) { return Driver::Get().memory.Holds(address, bytes); }

}  // namespace

GRSIM_API cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
  GRSIM_ENTER(true);
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  *address = Driver::Get().memory.Allocate(bytes, Settings::Get().memory, false);
  return *address == 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

GRSIM_API cuMemFree_v2(CUdeviceptr address) {
  GRSIM_ENTER(true);
  if (address == 0) return CUDA_SUCCESS;
  Driver::Get().WaitForAll();
  return Driver::Get().memory.Free(address, false) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

GRSIM_API cuMemGetInfo_v2(size_t* free, size_t* total) {
  GRSIM_ENTER(true);
  *total = Settings::Get().memory;
  *free = *total - std::min<size_t>(*total, Driver::Get().memory.used());
  return CUDA_SUCCESS;
}

GRSIM_API cuMemHostAlloc(void** pointer, size_t bytes, unsigned int) {
  GRSIM_ENTER(true);
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  *pointer = Pointer(Driver::Get().memory.Allocate(bytes, 0, true));
  return *pointer == nullptr ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

GRSIM_API cuMemFreeHost(void* pointer) {
  GRSIM_ENTER(true);
  Driver::Get().WaitForAll();
  return Driver::Get().memory.Free(reinterpret_cast<uint64_t>(pointer), true) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

GRSIM_API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  GRSIM_ENTER(true);
  return OnDevice(to, bytes) ? Enqueue(stream, Copy(Pointer(to), from, bytes)) : CUDA_ERROR_INVALID_VALUE;
}

GRSIM_API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  GRSIM_ENTER(true);
  return OnDevice(from, bytes) ? Enqueue(stream, Copy(to, Pointer(from), bytes)) : CUDA_ERROR_INVALID_VALUE;
}

GRSIM_API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  GRSIM_ENTER(true);
  return OnDevice(from, bytes) && OnDevice(to, bytes) ? Enqueue(stream, Copy(Pointer(to), Pointer(from), bytes)) : CUDA_ERROR_INVALID_VALUE;
}

GRSIM_API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  GRSIM_ENTER(true);
  if (!OnDevice(to, count)) return CUDA_ERROR_INVALID_VALUE;
  return Enqueue(stream, [=] {
    std::memset(Pointer(to), value, count);
    return 0;
  });
}
