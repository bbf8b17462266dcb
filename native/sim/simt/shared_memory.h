// A block's shared arrays: each an allocation of its own with NaNs in it, so that AddressSanitizer sees its ends and a read of what
// nobody wrote shows. ThreadSanitizer takes an allocation for a write by whoever asked first; its arrays come from one mapping instead,
// at addresses that no other block of the launch had.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <vector>
#ifdef SIMT_TSAN
#include <sys/mman.h>
#endif

namespace simt {

class SharedMemory {
 public:
  /// Called by the host's thread.
  void begin_launch() {
#ifdef SIMT_TSAN
    if (!mapping_) {
      void* memory = mmap(nullptr, kMappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) std::abort();
      mapping_ = static_cast<char*>(memory);
    }
#endif
    used_ = 0;
  }

  /// The last block's arrays are gone.
  void begin_block() {
#ifndef SIMT_TSAN
    for (const Array& array : arrays_) std::free(array.memory);
#endif
    arrays_.clear();
  }

  /// The array of `key`, made on first demand.
  void* array(const void* key, size_t bytes) {
    for (const Array& array : arrays_)
      if (array.key == key) return array.memory;
    void* memory = allocate(bytes);
    // Not memset, which ThreadSanitizer would see.
    for (size_t i = 0; i < bytes; ++i) static_cast<volatile unsigned char*>(memory)[i] = 0xff;
    arrays_.push_back({key, memory});
    return memory;
  }

 private:
  struct Array {
    const void* key;
    void* memory;
  };

  void* allocate(size_t bytes) {
#ifdef SIMT_TSAN
    const size_t at = used_;
    used_ += (bytes + 255) / 128 * 128;
    if (used_ > kMappingBytes) std::abort();
    return mapping_ + at;
#else
    void* memory = nullptr;
    if (posix_memalign(&memory, 128, bytes) != 0) std::abort();  // aligned_alloc wants whole multiples, and red zones would begin late
    return memory;
#endif
  }

  static constexpr size_t kMappingBytes = size_t{64} << 20;
  std::vector<Array> arrays_;
  [[maybe_unused]] char* mapping_ = nullptr;
  size_t used_ = 0;
};

}  // namespace simt
