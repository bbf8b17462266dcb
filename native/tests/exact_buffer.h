// Memory as cuMemAlloc gives it, and not a byte more: AddressSanitizer then sees an access one element past the end.
#pragma once
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

template <class T> class ExactBuffer {
 public:
  ExactBuffer() = default;
  explicit ExactBuffer(size_t count) : count_(count) {
    if (count == 0) return;
    void* memory = nullptr;
    if (posix_memalign(&memory, 256, count * sizeof(T)) != 0) std::abort();
    data_ = static_cast<T*>(memory);
    memset(static_cast<void*>(data_), 0xff, count * sizeof(T));  // NaN, -1: nobody's value
  }
  ExactBuffer(const std::vector<T>& from) : ExactBuffer(from.size()) {
    for (size_t i = 0; i < from.size(); ++i) data_[i] = from[i];
  }
  ExactBuffer(ExactBuffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  ExactBuffer& operator=(ExactBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~ExactBuffer() { std::free(data_); }

  T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) const { return data_[i]; }
  std::vector<T> copy() const { return std::vector<T>(data_, data_ + count_); }
  bool same_bits(const ExactBuffer& other) const { return count_ == other.count_ && (count_ == 0 || memcmp(data_, other.data_, count_ * sizeof(T)) == 0); }

 private:
  T* data_ = nullptr;
  size_t count_ = 0;
};
