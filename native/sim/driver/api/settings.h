// What the stand-in is told by its environment, or by grsim_set while it runs.
//   GRSIM_CC=8.0           capability shown: 7.0 7.5 8.0 8.6 8.9 9.0
//   GRSIM_DEVICES=1        devices shown
//   GRSIM_MEM=16384        MiB of device memory
//   GRSIM_SCHED=fwd|rev|rand:N   order of blocks and warps
//   GRSIM_FAIL=name:n:code[,…]   the n-th call of name answers code; n 0: every call. kernel:n:code: the n-th launch's execution fails
//   GRSIM_DELAY_US=n       every queued operation waits first
//   GRSIM_LOSS=context|process   what a new context recovers from: a fault, or nothing
//   GRSIM_TRACE=1          calls on standard error
//   GRSIM_RACE=0           races are not looked for
//   GRSIM_THREADS=2        of the machine, for the blocks of a launch
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "../exec/launch.h"

namespace grsim {

/// What differs between the devices that the kernels are compiled for.
struct Capability { int number, multiprocessors, shared_per_multiprocessor, shared_per_block, threads_per_multiprocessor, blocks_per_multiprocessor, l2_mib; };

class Settings {
 public:
  Settings();
  static Settings& Get();

  /// @return false where the name or the value is not known
  bool Set(const std::string& name, const std::string& value);

  const Capability& capability() const { return *capability_; }
  int devices = 1;
  uint64_t memory = uint64_t{16384} << 20;
  int delay_us = 0;
  bool trace = false, loses_process = false;
  LaunchOptions launch;

  /// The status that this call is to answer; 0: none.
  int Injected(const std::string& call);

 private:
  struct Failure { std::string call; int number, code; };

  const Capability* capability_ = nullptr;
  std::mutex mutex_;
  std::vector<Failure> failures_;
  std::map<std::string, int> calls_;
};

}  // namespace grsim
