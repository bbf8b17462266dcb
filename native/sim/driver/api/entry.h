// What every entry point begins with: trace, injected failure, and the states in which nothing works.
#pragma once
#include "cuda_api.h"
#include "driver.h"

#define GRSIM_API extern "C" __attribute__((visibility("default"))) CUresult CUDAAPI

namespace grsim {

extern thread_local void* current_context;

/// @param needs_context a call that works in a context answers its fault, as a device does
CUresult Enter(const char* call, bool needs_context);

inline CUresult Status(int code) { return static_cast<CUresult>(code); }

/// Queues work. An unknown stream is refused.
CUresult Enqueue(CUstream stream, Job job);

}  // namespace grsim

#define GRSIM_ENTER(needs_context) \
  if (const CUresult refused_ = grsim::Enter(__func__, needs_context); refused_ != CUDA_SUCCESS) return refused_
