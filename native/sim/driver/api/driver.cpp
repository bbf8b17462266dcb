#include "driver.h"

#include <cstdio>

namespace grsim {

Driver& Driver::Get() {
  static auto& driver = *new Driver;
  return driver;
}

void* Driver::Retain() {
  const std::lock_guard lock(mutex_);
  ++references_;
  if (context_ == nullptr) {
    context_ = new char;
    if (!Settings::Get().loses_process) sticky_ = 0;
  }
  return context_;
}

bool Driver::Release() {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    if (references_ == 0) return false;
    last = --references_ == 0;
  }
  if (last) Reset();
  return true;
}

void Driver::Reset() {
  std::set<Stream*> old_streams;
  {
    const std::lock_guard lock(mutex_);
    old_streams.swap(streams);
    default_ = nullptr;
  }
  // Without the lock: their threads may be in a call.
  for (Stream* stream : old_streams) delete stream;
  const std::lock_guard lock(mutex_);
  for (Event* event : events) delete event;
  for (Module* module : modules) delete module;
  for (Graph* graph : graphs) delete graph;
  for (Graph* graph : executables) delete graph;
  events.clear();
  modules.clear();
  functions.clear();
  graphs.clear();
  executables.clear();
  memory.FreeAll();
  delete static_cast<char*>(context_);
  context_ = nullptr;
  if (references_ > 0) context_ = new char;
  if (!Settings::Get().loses_process) sticky_ = 0;
}

void Driver::Tell(const std::string& what) { std::fprintf(stderr, "grsim: %s\n", what.c_str()); }

Stream* Driver::Find(void* handle) {
  const std::lock_guard lock(mutex_);
  if (handle != nullptr) return streams.contains(static_cast<Stream*>(handle)) ? static_cast<Stream*>(handle) : nullptr;
  if (default_ == nullptr) {
    default_ = new Stream;
    streams.insert(default_);
  }
  return default_;
}

void Driver::WaitForAll() {
  std::vector<Stream*> all;
  {
    const std::lock_guard lock(mutex_);
    all.assign(streams.begin(), streams.end());
  }
  for (Stream* stream : all) stream->Wait();
}

}  // namespace grsim
