// One launch: what runs, where it may reach, and in which order.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "program.h"
#include "trap.h"

namespace grsim {

/// Device memory as kernels see it.
struct MemoryMap {
  struct Range { uint64_t begin = 1, end = 0; };
  virtual ~MemoryMap() = default;
  /// The allocation that holds the address; an empty range where there is none.
  virtual Range Find(uint64_t address) const = 0;
};

enum class Order : uint8_t { Forward, Reverse, Random };

struct LaunchOptions {
  Order order = Order::Forward;   // of blocks, and of the warps in a block
  uint64_t seed = 1;
  unsigned threads = 2;           // of the machine
  bool check_races = true;
  uint64_t max_instructions = 20'000'000'000;  // of warps, over all blocks; more is taken for an endless loop
};

struct LaunchStats { uint64_t instructions = 0, tensor_products = 0, barriers = 0, global_bytes = 0; };

struct Launch {
  const Program* program = nullptr;
  uint32_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  uint32_t dynamic_shared = 0;
  std::vector<uint8_t> parameters;   // [parameter_bytes]
  const MemoryMap* memory = nullptr;
  LaunchOptions options;
};

/// Runs all blocks. @return the first fault, if any
std::optional<Trap> Run(const Launch& launch, LaunchStats* stats = nullptr);

}  // namespace grsim
