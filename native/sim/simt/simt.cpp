#include "simt.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <algorithm>
#include <memory>
#include <random>
#include <vector>
#include "fiber.h"
#include "shared_memory.h"
#include "tsan.h"

namespace simt {
namespace {

enum class Wait { None, Block, Warp, Ended };
enum class Collective { Barrier, Shuffle, Ballot, Ldmatrix, Mma, Wmma };

struct PendingCopy {
  void* to;
  const void* from;
};

/// One CUDA thread.
struct Lane {
  Fiber fiber;
  Place place;
  Wait wait = Wait::None;
  unsigned generation = 0;  // of what it waits for
  Site site{};
  std::vector<PendingCopy> copies;
};

/// What the lanes of a warp bring to a collective. Two sets in turn: a lane may start on the next one while others still read the last.
struct WarpState {
  Collective kind{};
  Site site{};
  uint32_t arrived = 0;
  unsigned generation = 0;
  uint64_t values[2][32];
  uint32_t votes[2];
  uint32_t a[32][8], b[32][8];
  float d[32][8];
  char order[2];  // ThreadSanitizer's clocks
};

struct BlockState {
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<WarpState> warps;
  int threads = 0, ended = 0, current = 0;
  int arrived = 0;
  unsigned generation = 0;
  Site site{};
  char order[2];
  void* dynamic = nullptr;
  const Kernel* kernel = nullptr;
  const void* args = nullptr;
  char error[512];  // not a string: its inlined functions may be the kernels' instrumented ones
};

BlockState block;
SharedMemory shared_memory;
Schedule schedule;
char launch_end;  // what all threads release and the host acquires

Kernel*& first_kernel() {
  static Kernel* first = nullptr;
  return first;
}

const char* name_of(Site site) {
  const char* slash = strrchr(site.file, '/');
  return slash ? slash + 1 : site.file;
}

Lane& lane() { return *block.lanes[block.current]; }

/// Ends the launch: this thread is never resumed, so nothing that it holds may need a destructor.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...) {
  char what[400];
  va_list args;
  va_start(args, format);
  const int length = vsnprintf(what, sizeof what, format, args);
  va_end(args);
  const Dim3 at = lane().place.block;
  snprintf(what + length, sizeof what - length, " (thread %d of block %u,%u)", block.current, at.x, at.y);
  if (block.error[0] == 0) snprintf(block.error, sizeof block.error, "%s", what);
  lane().wait = Wait::Ended;
  lane().fiber.leave(true);
  std::abort();
}

void run_lane() {
  lane().fiber.entered();
  block.kernel->call(block.args);
  if (!lane().copies.empty()) fail("a thread ends with copies that it never waited for");
  tsan::release(&launch_end);
  lane().wait = Wait::Ended;
  lane().fiber.leave(true);
  std::abort();
}

/// All lanes of a warp meet here; `bring` stores a lane's part, `complete` runs once, in the last to come.
/// @return which of the two sets of values this meeting used
template <class Bring, class Complete> int meet(uint32_t mask, Collective kind, Site site, Bring bring, Complete complete) {
  WarpState& warp = block.warps[block.current / 32];
  const int at = block.current % 32;
  if (mask != 0xffffffffu) fail("a warp collective of some lanes only at %s:%d: the host build knows whole warps", name_of(site), site.line);
  if (warp.arrived != 0 && (warp.kind != kind || warp.site.line != site.line || strcmp(warp.site.file, site.file) != 0))
    fail("lanes of a warp meet in different places: %s:%d and %s:%d", name_of(warp.site), warp.site.line, name_of(site), site.line);
  warp.kind = kind;
  warp.site = site;
  warp.arrived |= 1u << at;
  const int set = (int)(warp.generation & 1u);
  bring(warp, set, at);
  if (warp.arrived == 0xffffffffu) {
    complete(warp, set);
    warp.arrived = 0;
    ++warp.generation;
  } else {
    Lane& self = lane();
    self.wait = Wait::Warp;
    self.generation = warp.generation;
    self.site = site;
    self.fiber.leave(false);
  }
  return set;
}

constexpr auto nothing = [](WarpState&, int) {};

bool can_run(const Lane& l, int index) {
  switch (l.wait) {
    case Wait::None: return true;
    case Wait::Block: return l.generation != block.generation;
    case Wait::Warp: return l.generation != block.warps[index / 32].generation;
    default: return false;
  }
}

std::string deadlock() {
  std::string what = "deadlock: " + std::to_string(block.ended) + " of " + std::to_string(block.threads) + " threads have ended";
  int shown = 0;
  for (int i = 0; i < block.threads && shown < 4; ++i) {
    const Lane& l = *block.lanes[i];
    if (l.wait == Wait::Ended) continue;
    what += "; thread " + std::to_string(i) + " waits at " + name_of(l.site) + ":" + std::to_string(l.site.line) + (l.wait == Wait::Block ? " for the block" : " for its warp");
    ++shown;
  }
  return what;
}

void run_block(Dim3 at, Dim3 grid, Dim3 size, size_t dynamic_bytes, std::mt19937_64& random) {
  block.threads = (int)(size.x * size.y * size.z);
  block.ended = block.arrived = 0;
  block.generation = 0;
  block.warps.assign((block.threads + 31) / 32, WarpState{});
  while ((int)block.lanes.size() < block.threads) block.lanes.push_back(std::make_unique<Lane>());
  shared_memory.begin_block();
  block.dynamic = dynamic_bytes > 0 ? shared_memory.array(&block.dynamic, dynamic_bytes) : nullptr;
  std::vector<int> order(block.threads);
  for (int i = 0; i < block.threads; ++i) {
    Lane& l = *block.lanes[i];
    l.place = {{i % size.x, i / size.x % size.y, i / (size.x * size.y)}, at, size, grid};
    l.wait = Wait::None;
    l.copies.clear();
    l.fiber.start(run_lane);
    order[i] = schedule.order == Order::Reverse ? block.threads - 1 - i : i;
  }
  while (block.ended < block.threads) {
    if (schedule.order == Order::Random) std::shuffle(order.begin(), order.end(), random);
    bool moved = false;
    for (const int i : order) {
      Lane& l = *block.lanes[i];
      if (!can_run(l, i)) continue;
      moved = true;
      l.wait = Wait::None;
      block.current = i;
      l.fiber.enter();
      if (block.error[0] != 0) return;
      if (l.wait != Wait::Ended) continue;
      ++block.ended;
      // As on the device, threads that have ended are not waited for.
      if (block.arrived > 0 && block.arrived == block.threads - block.ended) {
        block.arrived = 0;
        ++block.generation;
      }
    }
    if (!moved) {
      snprintf(block.error, sizeof block.error, "%s", deadlock().c_str());
      return;
    }
  }
}

}  // namespace

bool set_schedule(const std::string& text) {
  if (text == "forward") schedule = {Order::Forward, 1};
  else if (text == "reverse") schedule = {Order::Reverse, 1};
  else if (text.rfind("random:", 0) == 0) schedule = {Order::Random, std::strtoull(text.c_str() + 7, nullptr, 10)};
  else return false;
  return true;
}

void register_kernel(Kernel* kernel) {
  kernel->next = first_kernel();
  first_kernel() = kernel;
}

std::string launch(const char* name, Dim3 grid, Dim3 size, size_t dynamic_shared, const void* args) {
  block.kernel = first_kernel();
  while (block.kernel && strcmp(block.kernel->name, name) != 0) block.kernel = block.kernel->next;
  if (!block.kernel) return std::string(name) + ": no such kernel in this build";
  if ((int)(size.x * size.y * size.z) > block.kernel->max_threads || size.x % 32 != 0) return std::string(name) + ": a block of " + std::to_string(size.x) + " threads is not one it is compiled for";
  block.args = args;
  block.error[0] = 0;
  shared_memory.begin_launch();
  std::mt19937_64 random(schedule.seed);
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x && block.error[0] == 0; ++x) run_block({x, y, z}, grid, size, dynamic_shared, random);
  shared_memory.begin_block();
  for (auto& l : block.lanes) l->fiber.retire();
  tsan::acquire(&launch_end);
  return block.error[0] == 0 ? "" : std::string(name) + ": " + block.error;
}

const Place& place() { return lane().place; }
void* dynamic_shared() { return block.dynamic; }

void* shared_array(const void* key, size_t bytes) { return shared_memory.array(key, bytes); }

void barrier(Site site) {
  if (block.arrived > 0 && (block.site.line != site.line || strcmp(block.site.file, site.file) != 0))
    fail("threads of a block meet at different barriers: %s:%d and %s:%d", name_of(block.site), block.site.line, name_of(site), site.line);
  block.site = site;
  char* order = &block.order[block.generation & 1u];
  tsan::release(order);
  if (++block.arrived == block.threads - block.ended) {
    block.arrived = 0;
    ++block.generation;
  } else {
    Lane& self = lane();
    self.wait = Wait::Block;
    self.generation = block.generation;
    self.site = site;
    self.fiber.leave(false);
  }
  tsan::acquire(order);
}

void warp_barrier(uint32_t mask, Site site) {
  WarpState& warp = block.warps[block.current / 32];
  char* order = &warp.order[warp.generation & 1u];
  tsan::release(order);
  meet(mask, Collective::Barrier, site, [](WarpState&, int, int) {}, nothing);
  tsan::acquire(order);
}

uint64_t shuffle(uint32_t mask, uint64_t value, int source, Site site) {
  WarpState& warp = block.warps[block.current / 32];
  const int set = meet(mask, Collective::Shuffle, site, [value](WarpState& w, int s, int at) { w.values[s][at] = value; }, nothing);
  return warp.values[set][source];
}

uint32_t ballot(uint32_t mask, bool vote, Site site) {
  WarpState& warp = block.warps[block.current / 32];
  const int set = meet(mask, Collective::Ballot, site, [vote](WarpState& w, int s, int at) {
    if (w.arrived == 1u << at) w.votes[s] = 0;
    w.votes[s] |= (uint32_t)vote << at;
  }, nothing);
  return warp.votes[set];
}

void ldmatrix4(uint32_t* out, const void* row, Site site) {
  if ((uintptr_t)row % 16 != 0) fail("a row of ldmatrix is not aligned to 16 bytes at %s:%d", name_of(site), site.line);
  WarpState& warp = block.warps[block.current / 32];
  const int at = block.current % 32;
  const int set = meet(0xffffffffu, Collective::Ldmatrix, site, [row](WarpState& w, int s, int l) { w.values[s][l] = (uint64_t)(uintptr_t)row; }, nothing);
  for (int matrix = 0; matrix < 4; ++matrix) {
    const void* from = reinterpret_cast<const uint32_t*>((uintptr_t)warp.values[set][matrix * 8 + at / 4]) + at % 4;
    tsan::read(from, 4);
    memcpy(&out[matrix], from, 4);
  }
}

void copy16(void* shared, const void* global, Site site) {
  if (((uintptr_t)shared | (uintptr_t)global) % 16 != 0) fail("a copy of 16 bytes is not aligned to 16 at %s:%d", name_of(site), site.line);
  char look[16];
  memcpy(look, global, 16);  // for AddressSanitizer: the source must be there now
  tsan::read(global, 16);
  tsan::write(shared, 16);
  memset(shared, 0xff, 16);
  lane().copies.push_back({shared, global});
}

void copy_wait() {
  for (const PendingCopy& copy : lane().copies) memcpy(copy.to, copy.from, 16);
  lane().copies.clear();
}

void mma(float* d, const uint32_t* a, const uint32_t* b, float (*widen)(uint16_t), Site site) {
  WarpState& warp = block.warps[block.current / 32];
  const int at = block.current % 32;
  const auto bring = [&](WarpState& w, int, int l) {
    memcpy(w.a[l], a, 16);
    memcpy(w.b[l], b, 8);
    memcpy(w.d[l], d, 16);
  };
  meet(0xffffffffu, Collective::Mma, site, bring, [widen](WarpState& w, int) {
    float x[16][16], y[8][16];
    for (int l = 0; l < 32; ++l) {
      const int group = l / 4, pair = l % 4 * 2;
      for (int r = 0; r < 4; ++r)
        for (int j = 0; j < 2; ++j) x[group + (r & 1) * 8][pair + j + (r >> 1) * 8] = widen((uint16_t)(w.a[l][r] >> (16 * j)));
      for (int r = 0; r < 2; ++r)
        for (int j = 0; j < 2; ++j) y[group][pair + j + r * 8] = widen((uint16_t)(w.b[l][r] >> (16 * j)));
    }
    for (int l = 0; l < 32; ++l)
      for (int e = 0; e < 4; ++e) {
        float sum = 0.f;
        for (int k = 0; k < 16; ++k) sum += x[l / 4 + (e >> 1) * 8][k] * y[l % 4 * 2 + (e & 1)][k];
        w.d[l][e] += sum;
      }
  });
  memcpy(d, warp.d[at], 16);  // no other lane writes it before this one's next product
}

void wmma(float* d, const void* a, int lda, const void* b, int ldb, float (*widen)(uint16_t), Site site) {
  if ((uintptr_t)a % 32 != 0 || (uintptr_t)b % 32 != 0 || lda % 8 != 0 || ldb % 8 != 0) fail("a matrix of wmma is not aligned at %s:%d", name_of(site), site.line);
  meet(0xffffffffu, Collective::Wmma, site, [](WarpState&, int, int) {}, nothing);
  const int row = block.current % 32;
  const uint16_t* x = static_cast<const uint16_t*>(a) + row * lda;
  tsan::read(x, 32);
  for (int column = 0; column < 8; ++column) {
    const uint16_t* y = static_cast<const uint16_t*>(b) + column * ldb;
    tsan::read(y, 32);
    float sum = 0.f;
    for (int k = 0; k < 16; ++k) sum += widen(x[k]) * widen(y[k]);
    d[column] += sum;
  }
}

}  // namespace simt
