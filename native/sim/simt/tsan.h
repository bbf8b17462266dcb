// What ThreadSanitizer is told; nothing in other builds.
#pragma once
#include <cstddef>

#ifdef SIMT_TSAN
extern "C" {
void __tsan_acquire(void* at);
void __tsan_release(void* at);
void __tsan_read_range(void* at, unsigned long bytes);
void __tsan_write_range(void* at, unsigned long bytes);
}
#endif

namespace simt::tsan {
inline void acquire([[maybe_unused]] void* at) {
#ifdef SIMT_TSAN
  __tsan_acquire(at);
#endif
}
inline void release([[maybe_unused]] void* at) {
#ifdef SIMT_TSAN
  __tsan_release(at);
#endif
}
inline void read([[maybe_unused]] const void* at, [[maybe_unused]] size_t bytes) {
#ifdef SIMT_TSAN
  __tsan_read_range(const_cast<void*>(at), bytes);
#endif
}
inline void write([[maybe_unused]] void* at, [[maybe_unused]] size_t bytes) {
#ifdef SIMT_TSAN
  __tsan_write_range(at, bytes);
#endif
}
}  // namespace simt::tsan
