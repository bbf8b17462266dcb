#include "fiber.h"
#include <sys/mman.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
extern "C" {
void __sanitizer_start_switch_fiber(void** fake, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake, const void** bottom, size_t* size);
void __asan_unpoison_memory_region(const volatile void* at, size_t size);
}
#endif
#ifdef SIMT_TSAN
extern "C" {
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void* __tsan_get_current_fiber();
}
#endif

// The registers that the System V ABI makes the callee keep, and the stack.
#if defined(__x86_64__)
asm(R"(
.text
.globl simt_switch
.type simt_switch,@function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch,.-simt_switch
.section .note.GNU-stack,"",@progbits
.text
)");
#else
#error "the SIMT host build runs on x86-64: add a context switch for this processor"
#endif
extern "C" void simt_switch(void** save, void* to);

namespace simt {

Fiber::~Fiber() {
  retire();
  if (stack_) munmap(stack_, kGuardBytes + kStackBytes);
}

void Fiber::start(void (*entry)()) {
#ifdef SIMT_TSAN
  // To ThreadSanitizer a stack used again by another fiber is a race; a fresh mapping has no past.
  if (stack_) munmap(stack_, kGuardBytes + kStackBytes);
  stack_ = nullptr;
#endif
  if (!stack_) {
    void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, kGuardBytes, PROT_NONE) != 0) {
      std::perror("simt: no memory for a thread's stack");
      std::abort();
    }
    stack_ = static_cast<char*>(memory);
  }
#ifdef SIMT_ASAN
  // The last run's frames left their red zones.
  __asan_unpoison_memory_region(stack_ + kGuardBytes, kStackBytes);
#endif
  void** sp = reinterpret_cast<void**>(stack_ + kGuardBytes + kStackBytes);
  *--sp = nullptr;  // keeps the stack aligned at entry
  *--sp = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--sp = nullptr;
  sp_ = sp;
  asan_fake_ = nullptr;
#ifdef SIMT_TSAN
  retire();
  tsan_ = __tsan_create_fiber(0);
#endif
}

void Fiber::enter() {
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(&asan_caller_fake_, stack_ + kGuardBytes, kStackBytes);
#endif
#ifdef SIMT_TSAN
  tsan_caller_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_, 1);  // 1: the switch orders nothing
#endif
  simt_switch(&caller_sp_, sp_);
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(asan_caller_fake_, nullptr, nullptr);
#endif
}

void Fiber::entered() {
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(asan_fake_, &asan_caller_bottom_, &asan_caller_bytes_);
#endif
}

void Fiber::leave([[maybe_unused]] bool last) {
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &asan_fake_, asan_caller_bottom_, asan_caller_bytes_);
#endif
#ifdef SIMT_TSAN
  __tsan_switch_to_fiber(tsan_caller_, 1);
#endif
  simt_switch(&sp_, caller_sp_);
  entered();
}

void Fiber::retire() {
#ifdef SIMT_TSAN
  if (tsan_) __tsan_destroy_fiber(tsan_);
  tsan_ = nullptr;
#endif
}

}  // namespace simt
