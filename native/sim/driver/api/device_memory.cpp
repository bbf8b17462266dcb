#include "device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace grsim {
namespace {

constexpr uint64_t kPage = 4096, kAlign = 256;

}  // namespace

uint64_t DeviceMemory::Allocate(uint64_t bytes, uint64_t capacity, bool host) {
  const std::unique_lock lock(mutex_);
  if (!host && (used_ > capacity || bytes > capacity - used_)) return 0;
  const uint64_t body = (bytes + kAlign - 1) / kAlign * kAlign, map_bytes = (body + kPage - 1) / kPage * kPage + kPage;
  void* map = mmap(nullptr, map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return 0;
  mprotect(static_cast<char*>(map) + map_bytes - kPage, kPage, PROT_NONE);
  const uint64_t address = reinterpret_cast<uint64_t>(map) + map_bytes - kPage - body;
  // What was never written reads as no number; of huge allocations only the start, to keep them from taking memory.
  std::memset(reinterpret_cast<void*>(address), 0xFF, std::min<uint64_t>(body, 1 << 20));
  (host ? host_ : device_)[address] = {bytes, map, map_bytes};
  if (!host) used_ += bytes;
  return address;
}

bool DeviceMemory::Free(uint64_t address, bool host) {
  const std::unique_lock lock(mutex_);
  auto& all = host ? host_ : device_;
  const auto found = all.find(address);
  if (found == all.end()) return false;
  munmap(found->second.map, found->second.map_bytes);
  if (!host) used_ -= found->second.bytes;
  all.erase(found);
  return true;
}

void DeviceMemory::FreeAll() {
  const std::unique_lock lock(mutex_);
  for (auto* all : {&device_, &host_}) {
    for (const auto& [address, allocation] : *all) munmap(allocation.map, allocation.map_bytes);
    all->clear();
  }
  used_ = 0;
}

bool DeviceMemory::Holds(uint64_t address, uint64_t bytes) const {
  const std::shared_lock lock(mutex_);
  auto next = device_.upper_bound(address);
  if (next == device_.begin()) return false;
  --next;
  const uint64_t into = address - next->first;
  return into <= next->second.bytes && bytes <= next->second.bytes - into;
}

MemoryMap::Range DeviceMemory::Find(uint64_t address) const {
  const std::shared_lock lock(mutex_);
  for (const auto* all : {&device_, &host_}) {
    auto next = all->upper_bound(address);
    if (next == all->begin()) continue;
    --next;
    if (address - next->first < next->second.bytes) return {next->first, next->first + next->second.bytes};
  }
  return {};
}

uint64_t DeviceMemory::used() const {
  const std::shared_lock lock(mutex_);
  return used_;
}

size_t DeviceMemory::count(bool host) const {
  const std::shared_lock lock(mutex_);
  return (host ? host_ : device_).size();
}

}  // namespace grsim
