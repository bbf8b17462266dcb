#include "stream.h"

#include "driver.h"

namespace grsim {

Stream::Stream() : thread_([this] { Run(); }) {}

Stream::~Stream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Stream::Push(Job job) {
  const std::lock_guard lock(mutex_);
  if (capturing_) {
    captured_.push_back(std::move(job));
    return;
  }
  queue_.push_back(std::move(job));
  work_.notify_one();
}

void Stream::Wait() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return queue_.empty() && !busy_; });
}

bool Stream::IsIdle() {
  const std::lock_guard lock(mutex_);
  return queue_.empty() && !busy_;
}

bool Stream::BeginCapture() {
  const std::lock_guard lock(mutex_);
  if (capturing_) return false;
  capturing_ = true;
  captured_.clear();
  return true;
}

bool Stream::EndCapture(std::vector<Job>& jobs) {
  const std::lock_guard lock(mutex_);
  if (!capturing_) return false;
  capturing_ = false;
  jobs = std::move(captured_);
  captured_.clear();
  return true;
}

bool Stream::is_capturing() {
  const std::lock_guard lock(mutex_);
  return capturing_;
}

void Stream::Run() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
    }
    Driver& driver = Driver::Get();
    if (const int delay = Settings::Get().delay_us; delay > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
    // After a fault nothing runs any more, but the queue empties, as a device's does.
    if (driver.sticky() == 0)
      if (const int status = job(); status != 0) driver.Fault(status);
    const std::lock_guard lock(mutex_);
    busy_ = false;
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace grsim
