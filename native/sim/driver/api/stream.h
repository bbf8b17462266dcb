// A queue of work with a thread of its own, and the events that tell how far it is.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace grsim {

/// A queued operation. @return a status that sticks, or 0
using Job = std::function<int()>;

struct Event {
  std::mutex mutex;
  std::condition_variable reached;
  uint64_t recorded = 0, done = 0;
  std::chrono::steady_clock::time_point at;
};

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Runs later, or is noted where the stream captures.
  void Push(Job job);
  void Wait();
  bool IsIdle();

  bool BeginCapture();
  bool EndCapture(std::vector<Job>& jobs);
  bool is_capturing();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::deque<Job> queue_;
  std::vector<Job> captured_;
  bool busy_ = false, stopping_ = false, capturing_ = false;
  std::thread thread_;
};

}  // namespace grsim
