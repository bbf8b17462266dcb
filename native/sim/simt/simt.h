// The SIMT host build: CUDA threads as fibers on one operating-system thread, so that the kernels' own source runs under sanitizers.
//
// A fiber runs until it meets a barrier, a warp collective or its end; the schedule says which goes next. So every order of threads
// between two synchronisations is legal, and a kernel that depends on one is found by another schedule. Found beside it: barriers and
// collectives that not all threads reach or that threads reach in different places, masks that lack the caller, misaligned rows, copies
// used before they are waited for (they hold NaN until then), and shared memory that nobody wrote (NaN too). Under ThreadSanitizer
// fibers are told apart and only barriers order them, so races between CUDA threads are reported with file and line, between
// blocks as well; a warp's shuffles and votes order nothing, as on the device.
//
// Not modelled: rounding inside tensor cores, tanh.approx's error, memory order between blocks, blocks that wait for each other.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace simt {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

enum class Order { Forward, Reverse, Random };

struct Schedule {
  Order order = Order::Forward;
  uint64_t seed = 1;
};

/// Set before launches; "forward", "reverse" or "random:SEED". False: not one of them.
bool set_schedule(const std::string& text);

/// A kernel of the build. `call` runs one thread's worth of it.
struct Kernel {
  const char* name;
  void (*call)(const void* args);
  int max_threads;
  Kernel* next;
};

void register_kernel(Kernel* kernel);

/// Runs a kernel to its end.
/// @param args the kernel's one parameter
/// @return empty, or what went wrong and where
std::string launch(const char* name, Dim3 grid, Dim3 block, size_t dynamic_shared, const void* args);

// ---- What kernels call, through device_host.h. ----

struct Site {
  const char* file;
  int line;
};

/// Of the running thread.
struct Place {
  Dim3 thread, block, block_dim, grid_dim;
};

const Place& place();
void barrier(Site site);
void warp_barrier(uint32_t mask, Site site);
uint64_t shuffle(uint32_t mask, uint64_t value, int source, Site site);
uint32_t ballot(uint32_t mask, bool vote, Site site);
void ldmatrix4(uint32_t* out, const void* row, Site site);
void copy16(void* shared, const void* global, Site site);
void copy_wait();

/// d[16×8] += a[16×16]·b[16×8], fragments as PTX has them for mma.m16n8k16. `widen` gives the value of an element's bits.
void mma(float* d, const uint32_t* a, const uint32_t* b, float (*widen)(uint16_t), Site site);

/// Volta's 32×8×16; here lane l holds row l.
void wmma(float* d, const void* a, int lda, const void* b, int ldb, float (*widen)(uint16_t), Site site);

/// A block's shared array: fresh NaNs for each block, allocated exactly, so that AddressSanitizer sees its ends.
void* shared_array(const void* key, size_t bytes);
void* dynamic_shared();

float half_to_float(uint16_t half);
uint16_t float_to_half(float value);
float bf16_to_float(uint16_t bits);

}  // namespace simt
