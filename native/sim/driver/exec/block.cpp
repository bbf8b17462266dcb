// Runs a block's warps in turn, and what they wait for.
#include "block.h"

#include <algorithm>
#include <cstdio>

namespace grsim {
namespace {

constexpr uint32_t kSlice = 20'000;  // instructions of a warp before the next one has its turn

uint64_t NextRandom(uint64_t& state) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return state >> 33;
}

bool NamesAll(const uint32_t* members) {
  uint32_t common = kNone;
  for (int lane = 0; lane < 32; ++lane) common &= members[lane];
  return common == kNone;
}

void Fill(const Warp& warp, uint32_t special, uint32_t value) { std::fill_n(warp.Row<uint32_t>(special * kRow), 32, value); }

}  // namespace

std::string Block::Hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

Block::Block(const Launch& launch) : launch_(launch), threads_(launch.block[0] * launch.block[1] * launch.block[2]) {
  const Program& program = *launch.program;
  const uint32_t count = (threads_ + 31) / 32;
  register_file_.resize(size_t{count} * program.register_bytes + 64);
  local_.resize(size_t{threads_} * program.local_bytes);
  parameters_ = launch.parameters;
  parameters_.resize(program.parameter_bytes + 16);
  copies_.resize(size_t{count} * 32);
  warps_.resize(count);
  auto* aligned = register_file_.data() + (64 - reinterpret_cast<uintptr_t>(register_file_.data()) % 64) % 64;
  for (uint32_t w = 0; w < count; ++w) {
    Warp& warp = warps_[w];
    warp.block = this;
    warp.number = static_cast<uint8_t>(w);
    warp.registers = aligned + size_t{w} * program.register_bytes;
    warp.predicates.assign(program.predicates, 0);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const uint32_t thread = w * 32 + lane;
      warp.Row<uint32_t>(kTidX * kRow)[lane] = thread % launch.block[0];
      warp.Row<uint32_t>(kTidY * kRow)[lane] = thread / launch.block[0] % launch.block[1];
      warp.Row<uint32_t>(kTidZ * kRow)[lane] = thread / (launch.block[0] * launch.block[1]);
      warp.Row<uint32_t>(kLane * kRow)[lane] = lane;
      warp.Row<uint32_t>(kLaneMaskEq * kRow)[lane] = 1u << lane;
      warp.Row<uint32_t>(kLaneMaskLt * kRow)[lane] = (1u << lane) - 1;
      warp.Row<uint32_t>(kLaneMaskLe * kRow)[lane] = (2u << lane) - 1;
      warp.Row<uint32_t>(kLaneMaskGe * kRow)[lane] = ~((1u << lane) - 1);
      warp.Row<uint32_t>(kLaneMaskGt * kRow)[lane] = ~((2u << lane) - 1);
    }
    Fill(warp, kWarp, w);
    Fill(warp, kNwarps, count);
    Fill(warp, kDynamicShared, launch.dynamic_shared);
    Fill(warp, kTotalShared, launch.dynamic_shared + program.static_shared);
    Fill(warp, kZero, 0);
    for (int axis = 0; axis < 3; ++axis) {
      Fill(warp, kNtidX + axis, launch.block[axis]);
      Fill(warp, kNctaX + axis, launch.grid[axis]);
    }
    for (const Constant& constant : program.constants) {
      if (constant.wide) std::fill_n(warp.Row<uint64_t>(constant.row), 32, constant.value);
      else std::fill_n(warp.Row<uint32_t>(constant.row), 32, static_cast<uint32_t>(constant.value));
    }
  }
}

void Block::Begin(uint64_t index) {
  const Program& program = *launch_.program;
  const uint32_t at[3] = {static_cast<uint32_t>(index % launch_.grid[0]), static_cast<uint32_t>(index / launch_.grid[0] % launch_.grid[1]),
                          static_cast<uint32_t>(index / (uint64_t{launch_.grid[0]} * launch_.grid[1]))};
  const uint32_t fixed = program.external_shared ? (program.static_shared + 15) / 16 * 16 : program.static_shared;
  shared_.Reset(fixed + (program.external_shared ? launch_.dynamic_shared : 0), program.shared_grain, launch_.options.check_races);
  std::fill(local_.begin(), local_.end(), uint8_t{0xFF});
  for (auto& copies : copies_) copies = {};
  epoch_ = 1;
  random_ = launch_.options.seed * 0x9E3779B97F4A7C15ull + index;
  for (Warp& warp : warps_) {
    const uint32_t lanes = std::min(32u, threads_ - warp.number * 32u);
    warp.alive = lanes == 32 ? kNone : (1u << lanes) - 1;
    warp.waiting = 0;
    warp.epoch = 0;
    warp.state = Warp::State::Ready;
    std::fill_n(warp.pc, 32, 0u);
    for (int axis = 0; axis < 3; ++axis) Fill(warp, kCtaX + axis, at[axis]);
  }
}

void Block::Run(uint64_t index) {
  Begin(index);
  std::vector<uint32_t> order(warps_.size());
  for (uint32_t w = 0; w < order.size(); ++w) order[w] = launch_.options.order == Order::Reverse ? static_cast<uint32_t>(order.size()) - 1 - w : w;
  while (true) {
    if (launch_.options.order == Order::Random)
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[NextRandom(random_) % i]);
    bool moved = false, done = true;
    for (const uint32_t w : order) {
      Warp& warp = warps_[w];
      if (warp.state == Warp::State::Ready) moved |= RunWarp(warp);
      done &= warp.state == Warp::State::Done;
    }
    if (done) return;
    if (!OpenBarrier() && !moved) Deadlock();
  }
}

/// The ready lanes that are furthest behind. @param limit next place where other ready lanes stand
bool Block::PickGroup(Warp& warp, uint32_t& limit) {
  const uint32_t ready = warp.alive & ~warp.waiting;
  if (ready == 0) return false;
  uint32_t first = kNone;
  limit = kNone;
  warp.group = 0;
  for (uint32_t left = ready; left != 0; left &= left - 1) {
    const uint32_t lane = static_cast<uint32_t>(std::countr_zero(left)), pc = warp.pc[lane];
    if (pc < first) {
      limit = first;
      first = pc;
      warp.group = 1u << lane;
    } else if (pc == first) {
      warp.group |= 1u << lane;
    } else {
      limit = std::min(limit, pc);
    }
  }
  warp.next_pc = first;
  return true;
}

/// Runs a warp until it waits for the block, has ended or its slice is over. @return whether it ran at all
bool Block::RunWarp(Warp& warp) {
  if (stats_.instructions > launch_.options.max_instructions) throw Trap{kLaunchTimeout, program().name + ": more instructions than a launch may run; an endless loop?"};
  const Ins* code = program().code.data();
  uint32_t budget = launch_.options.order == Order::Random ? 50 + NextRandom(random_) % 1000 : kSlice;
  const uint32_t given = budget;
  try {
    uint32_t limit = 0;
    while (PickGroup(warp, limit)) {
      uint32_t pc = warp.next_pc;
      const auto stop = [&] {
        for (uint32_t left = warp.group; left != 0; left &= left - 1) warp.pc[std::countr_zero(left)] = pc;
      };
      while (true) {
        if (budget == 0) {
          stop();
          stats_.instructions += given;
          return true;
        }
        --budget;
        const Ins& in = code[pc];
        warp.current = &in;
        uint32_t mask = warp.group;
        if (in.guard >= 0) {
          const uint32_t predicate = warp.predicates[in.guard];
          mask &= in.guard_negated ? ~predicate : predicate;
        }
        if (in.flow == Flow::Plain) {
          if (mask != 0) in.run(warp, in, mask);
          if (++pc < limit) continue;
          stop();
          break;
        }
        if (in.flow == Flow::Branch) {
          if (mask == 0) {
            ++pc;
          } else if (mask == warp.group) {
            pc = in.target;
          } else {
            for (uint32_t left = warp.group; left != 0; left &= left - 1) {
              const int lane = std::countr_zero(left);
              warp.pc[lane] = (mask >> lane & 1) != 0 ? in.target : pc + 1;
            }
            break;
          }
          if (pc < limit) continue;
          stop();
          break;
        }
        if (in.flow == Flow::Table) {
          const auto& table = program().tables[in.target];
          for (uint32_t left = warp.group; left != 0; left &= left - 1) {
            const int lane = std::countr_zero(left);
            const uint32_t choice = warp.Row<uint32_t>(in.a)[lane];
            if (choice >= table.size()) throw Trap{kIllegalInstruction, "branch table index " + std::to_string(choice)};
            warp.pc[lane] = table[choice];
          }
          break;
        }
        if (in.flow == Flow::Converge && mask == kNone && (in.members == 0 || NamesAll(warp.Row<uint32_t>(in.members)))) {
          in.run(warp, in, mask);
          if (++pc < limit) continue;
          stop();
          break;
        }
        // What is left stops the group: its lanes note where they stand, those that the guard leaves out go on.
        for (uint32_t left = warp.group; left != 0; left &= left - 1) {
          const int lane = std::countr_zero(left);
          warp.pc[lane] = (mask >> lane & 1) != 0 ? pc : pc + 1;
        }
        if (mask == 0) break;
        if (in.flow == Flow::Exit) {
          Exit(warp, mask);
        } else if (in.flow == Flow::Barrier) {
          warp.waiting |= mask;
        } else {
          const uint32_t members = ConvergeMask(warp, in, mask);
          warp.waiting |= mask;
          uint32_t here = 0;
          for (uint32_t left = warp.waiting & members; left != 0; left &= left - 1)
            here |= warp.pc[std::countr_zero(left)] == pc ? 1u << std::countr_zero(left) : 0;
          if (here == members) {
            in.run(warp, in, members);
            Release(warp, members);
          }
        }
        break;
      }
    }
    stats_.instructions += given - budget;
    if (warp.alive == 0) warp.state = Warp::State::Done;
    else ArriveAtBarrier(warp);
    return budget < given;
  } catch (Trap& trap) {
    trap.what = program().name + ", PTX line " + std::to_string(warp.current->line) + ": " + trap.what;
    throw;
  }
}

/// The lanes that must meet at an instruction. All of them must have named the same.
uint32_t Block::ConvergeMask(const Warp& warp, const Ins& in, uint32_t lanes) const {
  if (in.members == 0) return kNone;
  const uint32_t members = warp.Row<uint32_t>(in.members)[std::countr_zero(lanes)];
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const uint32_t mask = warp.Row<uint32_t>(in.members)[lane];
    if ((mask >> lane & 1) == 0) throw Trap{kIllegalInstruction, "lane " + std::to_string(lane) + " is not in its own member mask " + Hex(mask)};
    if (mask != members) throw Trap{kIllegalInstruction, "lanes of one instruction name different members, " + Hex(members) + " and " + Hex(mask)};
  }
  return members;
}

void Block::Release(Warp& warp, uint32_t mask) {
  warp.waiting &= ~mask;
  for (uint32_t left = mask; left != 0; left &= left - 1) ++warp.pc[std::countr_zero(left)];
}

void Block::Exit(Warp& warp, uint32_t mask) {
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    if (!copies_[warp.number * 32 + lane].pending.empty()) throw Trap{kLaunchFailed, "lane " + std::to_string(lane) + " exits with asynchronous copies that it did not wait for"};
  }
  warp.alive &= ~mask;
}

/// No lane of the warp can go on alone. All must stand at one barrier: the instruction is .aligned.
void Block::ArriveAtBarrier(Warp& warp) {
  const uint32_t pc = warp.pc[std::countr_zero(warp.alive)];
  bool same = true;
  for (uint32_t left = warp.alive; left != 0; left &= left - 1) same &= warp.pc[std::countr_zero(left)] == pc;
  if (same && program().code[pc].flow == Flow::Barrier) {
    warp.state = Warp::State::AtBarrier;
    return;
  }
  std::string where;
  for (uint32_t left = warp.alive; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    if (where.size() < 200) where += " lane " + std::to_string(lane) + " at line " + std::to_string(program().code[warp.pc[lane]].line) + ";";
  }
  warp.current = &program().code[pc];
  throw Trap{kLaunchFailed, "deadlock: the lanes of warp " + std::to_string(warp.number) + " wait for each other at different instructions:" + where};
}

bool Block::OpenBarrier() {
  uint32_t arrived = 0;
  for (const Warp& warp : warps_) {
    if (warp.state == Warp::State::Ready) return false;
    if (warp.state == Warp::State::AtBarrier) ++arrived;
  }
  if (arrived == 0) return false;
  // A barrier that reduces gives all its lanes the block's result.
  uint32_t count = 0, total = 0;
  for (Warp& warp : warps_) {
    if (warp.state != Warp::State::AtBarrier) continue;
    const Ins& in = program().code[warp.pc[std::countr_zero(warp.alive)]];
    total += static_cast<uint32_t>(std::popcount(warp.alive));
    if (in.mode != 0) count += static_cast<uint32_t>(std::popcount(warp.alive & (in.offset != 0 ? ~warp.Predicate(in.a) : warp.Predicate(in.a))));
  }
  for (Warp& warp : warps_) {
    if (warp.state != Warp::State::AtBarrier) continue;
    const Ins& in = program().code[warp.pc[std::countr_zero(warp.alive)]];
    if (in.mode == 1) ForLanes(warp.alive, [&](uint32_t lane) { warp.Row<uint32_t>(in.d)[lane] = count; });
    if (in.mode == 2) warp.predicates[in.d] = count == total ? warp.alive : 0;
    if (in.mode == 3) warp.predicates[in.d] = count > 0 ? warp.alive : 0;
    warp.state = Warp::State::Ready;
    Release(warp, warp.alive);
  }
  ++epoch_;
  ++stats_.barriers;
  return true;
}

void Block::Deadlock() {
  std::string where = "deadlock:";
  for (const Warp& warp : warps_)
    where += " warp " + std::to_string(warp.number) + (warp.state == Warp::State::Done ? " has ended;" : " waits;");
  throw Trap{kLaunchFailed, program().name + ": " + where};
}

void Block::Locate(uint64_t address, uint32_t bytes) {
  cached_ = launch_.memory->Find(address);
  if (address < cached_.begin || address >= cached_.end || cached_.end - address < bytes)
    throw Trap{kIllegalAddress, std::to_string(bytes) + " bytes at device address " + Hex(address) + ": " +
                                    (address >= cached_.begin && address < cached_.end ? std::to_string(address + bytes - cached_.end) + " past the end of an allocation of " + std::to_string(cached_.end - cached_.begin) : std::string("no allocation holds it"))};
}

uint8_t* Block::Local(const Warp& warp, uint32_t lane, uint64_t address, uint32_t bytes) {
  const uint32_t size = program().local_bytes;
  if (address > size || bytes > size - address) throw Trap{kIllegalAddress, std::to_string(bytes) + " bytes at local address " + std::to_string(address) + " of " + std::to_string(size)};
  if ((address & (bytes - 1)) != 0) throw Trap{kMisaligned, std::to_string(bytes) + " bytes at local address " + std::to_string(address)};
  return &local_[(size_t{warp.number} * 32 + lane) * size + address];
}

void Block::BeginCopy(const Warp& warp, uint32_t lane, uint32_t destination, uint64_t source, uint32_t bytes, uint32_t source_bytes) {
  if (source_bytes > 0) Global(source, source_bytes == bytes ? bytes : 1);
  if (source_bytes > bytes) throw Trap{kIllegalInstruction, "cp.async reads more than it writes"};
  shared_.BeginCopy(destination, bytes, warp.AccessOf(lane));
  auto& copies = copies_[warp.number * 32 + lane];
  copies.pending.push_back({destination, bytes, source_bytes, copies.groups, source});
}

void Block::WaitCopies(const Warp& warp, uint32_t lane, uint32_t groups_left, bool all) {
  auto& copies = copies_[warp.number * 32 + lane];
  std::erase_if(copies.pending, [&](const Copy& copy) {
    if (!all && copy.group + groups_left >= copies.groups) return false;
    uint8_t* target = shared_.EndCopy(copy.destination, copy.bytes, warp.AccessOf(lane));
    std::memset(target, 0, copy.bytes);
    std::memcpy(target, reinterpret_cast<const void*>(copy.source), copy.source_bytes);
    return true;
  });
}

}  // namespace grsim
