#include "launch.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "block.h"

namespace grsim {

std::optional<Trap> Run(const Launch& launch, LaunchStats* stats) {
  const uint64_t blocks = uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  std::atomic<uint64_t> next{0};
  std::mutex mutex;
  std::optional<Trap> fault;
  const auto work = [&] {
    Block block(launch);
    try {
      for (uint64_t n = next++; n < blocks; n = next++) block.Run(launch.options.order == Order::Reverse ? blocks - 1 - n : n);
    } catch (Trap& trap) {
      const std::lock_guard lock(mutex);
      next = blocks;
      if (!fault) fault = std::move(trap);
    }
    if (stats == nullptr) return;
    const std::lock_guard lock(mutex);
    stats->instructions += block.stats().instructions;
    stats->tensor_products += block.stats().tensor_products;
    stats->barriers += block.stats().barriers;
    stats->global_bytes += block.stats().global_bytes;
  };
  const auto threads = static_cast<unsigned>(std::min<uint64_t>(blocks, std::max(1u, launch.options.threads)));
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
  for (auto& helper : helpers) helper.join();
  return fault;
}

}  // namespace grsim
