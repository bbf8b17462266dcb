// The driver API's names, written from its documentation; or NVIDIA's own header, under which a prototype or a number that differs
// does not compile (target grsim_prototypes).
#pragma once
#ifdef GRSIM_CHECK_PROTOTYPES
#include <cuda.h>
#define GRSIM_ERROR(name, value) static_assert(static_cast<int>(name) == value, #name);
#define GRSIM_ATTRIBUTE(name, value) static_assert(static_cast<int>(name) == value, #name);
#include "constants.inc"
#else
#include <cstddef>
enum CUresult : int {
#define GRSIM_ERROR(name, value) name = value,
#include "constants.inc"
};
enum : int {
#define GRSIM_ATTRIBUTE(name, value) name = value,
#include "constants.inc"
};
using CUdevice_attribute = int;
using CUfunction_attribute = int;
using CUstreamCaptureMode = int;
using CUjit_option = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st*;
using CUmodule = struct CUmod_st*;
using CUfunction = struct CUfunc_st*;
using CUstream = struct CUstream_st*;
using CUevent = struct CUevent_st*;
using CUgraph = struct CUgraph_st*;
using CUgraphExec = struct CUgraphExec_st*;
#define CUDAAPI
#endif
