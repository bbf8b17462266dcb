// Device memory and pinned host memory. Every allocation ends at a page that cannot be touched, so that host code that runs off it
// stops there, and kernels are checked to the byte.
#pragma once
#include <map>
#include <shared_mutex>

#include "../exec/launch.h"

namespace grsim {

class DeviceMemory final : public MemoryMap {
 public:
  /// @return 0 when the device has not that much left
  uint64_t Allocate(uint64_t bytes, uint64_t capacity, bool host);
  bool Free(uint64_t address, bool host);
  void FreeAll();

  /// Whether a range lies within one allocation on the device.
  bool Holds(uint64_t address, uint64_t bytes) const;
  Range Find(uint64_t address) const override;

  uint64_t used() const;
  size_t count(bool host) const;

 private:
  struct Allocation { uint64_t bytes; void* map; uint64_t map_bytes; };

  mutable std::shared_mutex mutex_;
  std::map<uint64_t, Allocation> device_, host_;
  uint64_t used_ = 0;
};

}  // namespace grsim
