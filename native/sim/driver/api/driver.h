// The stand-in's state: one context on one device, and everything that lives in it.
#pragma once
#include <atomic>
#include <set>
#include <string>

#include "../exec/program.h"
#include "device_memory.h"
#include "settings.h"
#include "stream.h"

namespace grsim {

struct Module;

struct Function {
  Module* module = nullptr;
  std::shared_ptr<const Program> program;
  int registers = 32;
  int max_dynamic_shared = 48 << 10;
};

struct Module {
  std::map<std::string, uint64_t> addresses;   // of its variables in device memory
  std::map<std::string, std::unique_ptr<Function>> functions;
};

struct Graph { std::vector<Job> jobs; };

/// Counts for tests: what is alive, and what was done.
struct Counters { std::atomic<uint64_t> launches{0}, copies{0}, copied_bytes{0}, graph_launches{0}; };

class Driver {
 public:
  static Driver& Get();

  // --- context
  bool initialized = false;
  void* Retain();
  bool Release();
  /// Everything in the context is gone; its fault too, unless it is the process's.
  void Reset();
  bool IsCurrent(const void* context) const { return context != nullptr && context == context_; }

  int sticky() const { return sticky_; }
  void Fault(int status) { int none = 0; sticky_.compare_exchange_strong(none, status); }
  void Tell(const std::string& what);

  // --- what lives in it
  DeviceMemory memory;
  Counters counters;

  template <class T> T* Add(std::set<T*>& all, T* one) {
    const std::lock_guard lock(mutex_);
    all.insert(one);
    return one;
  }
  template <class T> bool Known(const std::set<T*>& all, const T* one) const {
    const std::lock_guard lock(mutex_);
    return all.contains(const_cast<T*>(one));
  }
  /// Takes it out of the set; its owner deletes it.
  template <class T> bool Remove(std::set<T*>& all, T* one) {
    const std::lock_guard lock(mutex_);
    return all.erase(one) > 0;
  }
  template <class T> size_t Count(const std::set<T*>& all) const {
    const std::lock_guard lock(mutex_);
    return all.size();
  }

  std::set<Stream*> streams;
  std::set<Event*> events;
  std::set<Module*> modules;
  std::set<Function*> functions;
  std::set<Graph*> graphs, executables;

  /// The stream of a handle; null: the default one. Null result: not known.
  Stream* Find(void* handle);
  void WaitForAll();

 private:
  mutable std::mutex mutex_;
  void* context_ = nullptr;
  int references_ = 0;
  std::atomic<int> sticky_{0};
  Stream* default_ = nullptr;
};

}  // namespace grsim
