// A stack of its own that runs until it hands control back, and what the sanitizers want to be told of that.
#pragma once
#include <cstddef>

namespace simt {

class Fiber {
 public:
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes it ready to run `entry` from the start. `entry` never returns: it ends with leave(true).
  void start(void (*entry)());

  /// From outside: runs it until it leaves.
  void enter();

  /// From inside: back to the caller of enter().
  /// @param last it will never be entered again
  void leave(bool last);

  /// From inside, first thing of all.
  void entered();

  /// Forgets the sanitizers' record of a fiber that ended or will not be entered again.
  void retire();

 private:
#ifdef SIMT_TSAN
  static constexpr size_t kStackBytes = 32 << 10;
#else
  static constexpr size_t kStackBytes = 128 << 10;  // AddressSanitizer's frames are large
#endif
  static constexpr size_t kGuardBytes = 4096;

  char* stack_ = nullptr;  // guard page, then kStackBytes
  void* sp_ = nullptr;
  void* caller_sp_ = nullptr;
  void* asan_fake_ = nullptr;
  void* asan_caller_fake_ = nullptr;
  const void* asan_caller_bottom_ = nullptr;
  size_t asan_caller_bytes_ = 0;
  void* tsan_ = nullptr;
  void* tsan_caller_ = nullptr;
};

}  // namespace simt
