// Runs PTX of a few lines: a kernel `k` with the parameter `out`, and whatever body and registers a test gives.
#pragma once
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "../exec/launch.h"
#include "check.h"

namespace grsim::test {

/// Memory that holds the vectors it was given, and nothing else.
class Buffers final : public MemoryMap {
 public:
  template <class T> uint64_t Add(std::vector<T>& data) {
    const auto address = reinterpret_cast<uint64_t>(data.data());
    ranges_[address] = address + data.size() * sizeof(T);
    return address;
  }
  Range Find(uint64_t address) const override {
    auto next = ranges_.upper_bound(address);
    if (next == ranges_.begin()) return {};
    --next;
    return address < next->second ? Range{next->first, next->second} : Range{};
  }

 private:
  std::map<uint64_t, uint64_t> ranges_;
};

struct Result {
  std::vector<uint32_t> out;
  std::optional<Trap> trap;
  LaunchStats stats;
};

struct Shape { uint32_t blocks = 1, threads = 32, dynamic_shared = 0; size_t words = 64; LaunchOptions options = {}; };

inline std::string Source(const std::string& body, const std::string& module_scope = "") {
  return ".version 7.8\n.target sm_80\n.address_size 64\n" + module_scope +
         "\n.visible .entry k(\n.param .u64 out\n)\n{\n"
         ".reg .pred %p<16>;\n.reg .b16 %rs<32>;\n.reg .f32 %f<64>;\n.reg .b32 %r<64>;\n.reg .b64 %rd<32>;\n.reg .f64 %fd<8>;\n"
         "ld.param.u64 %rd1, [out];\ncvta.to.global.u64 %rd1, %rd1;\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd2, %rd1, %rd2;\n" +
         body + "\nret;\n}\n";
}

/// %rd1: out; %rd2: the thread's own word of out; %r1: the thread.
inline Result Execute(const std::string& body, Shape shape = {}, const std::string& module_scope = "") {
  const Unit unit = Parse(Source(body, module_scope));
  const auto program = Decode(unit, unit.kernels.at(0), {});
  Result result;
  result.out.assign(shape.words, 0xDEADBEEF);
  Buffers buffers;
  const uint64_t address = buffers.Add(result.out);
  Launch launch;
  launch.program = program.get();
  launch.grid[0] = shape.blocks;
  launch.block[0] = shape.threads;
  launch.dynamic_shared = shape.dynamic_shared;
  launch.parameters.resize(8);
  std::memcpy(launch.parameters.data(), &address, 8);
  launch.memory = &buffers;
  launch.options = shape.options;
  result.trap = Run(launch, &result.stats);
  return result;
}

/// The trap's text; "" where there is none.
inline std::string TrapOf(const std::string& body, Shape shape = {}, const std::string& module_scope = "") {
  const Result result = Execute(body, shape, module_scope);
  return result.trap ? std::to_string(result.trap->code) + " " + result.trap->what : "";
}

}  // namespace grsim::test

#define GRSIM_TRAPS(text, ...)                                                                          \
  do {                                                                                                  \
    const std::string trap_ = grsim::test::TrapOf(__VA_ARGS__);                                         \
    if (trap_.find(text) == std::string::npos)                                                          \
      throw grsim::test::Failure{std::string(__FILE__) + ":" + std::to_string(__LINE__) + ": '" + trap_ + "' where '" + text + "' is expected"}; \
  } while (false)
