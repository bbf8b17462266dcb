#include "settings.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace grsim {
namespace {

// V100, T4, A100, A10, L4, H100; shared memory in KiB.
constexpr Capability kCapabilities[] = {
    {70, 80, 96, 96, 2048, 32, 6}, {75, 40, 64, 64, 1024, 16, 4}, {80, 108, 164, 163, 2048, 32, 40},
    {86, 72, 100, 99, 1536, 16, 6}, {89, 58, 100, 99, 1536, 24, 48}, {90, 132, 228, 227, 2048, 32, 50}};

bool ToNumber(const std::string& text, int64_t& value) {
  char* end = nullptr;
  value = std::strtoll(text.c_str(), &end, 10);
  return !text.empty() && *end == 0 && value >= 0;
}

}  // namespace

Settings::Settings() : capability_(&kCapabilities[2]) {
  for (const char* name : {"CC", "DEVICES", "MEM", "SCHED", "FAIL", "DELAY_US", "LOSS", "TRACE", "RACE", "THREADS"}) {
    const char* value = std::getenv((std::string("GRSIM_") + name).c_str());
    if (value != nullptr && !Set(name, value)) std::fprintf(stderr, "grsim: GRSIM_%s=%s is not understood\n", name, value);
  }
}

Settings& Settings::Get() {
  // Never destroyed: stream threads may outlive static objects.
  static auto& settings = *new Settings;
  return settings;
}

bool Settings::Set(const std::string& name, const std::string& value) {
  int64_t number = 0;
  if (name == "CC") {
    for (const Capability& capability : kCapabilities) {
      const std::string text = std::to_string(capability.number / 10) + "." + std::to_string(capability.number % 10);
      if (text != value) continue;
      capability_ = &capability;
      return true;
    }
    return false;
  }
  if (name == "SCHED") {
    launch.order = value == "rev" ? Order::Reverse : value.compare(0, 4, "rand") == 0 ? Order::Random : Order::Forward;
    if (launch.order == Order::Random && value.size() > 5 && ToNumber(value.substr(5), number)) launch.seed = static_cast<uint64_t>(number);
    return value == "fwd" || value == "rev" || launch.order == Order::Random;
  }
  if (name == "FAIL") {
    std::vector<Failure> failures;
    for (size_t at = 0; at < value.size();) {
      const size_t end = std::min(value.find(',', at), value.size());
      const std::string one = value.substr(at, end - at);
      const size_t first = one.find(':'), second = one.find(':', first + 1);
      int64_t code = 0;
      if (first == std::string::npos || second == std::string::npos || !ToNumber(one.substr(first + 1, second - first - 1), number) || !ToNumber(one.substr(second + 1), code)) return false;
      failures.push_back({one.substr(0, first), static_cast<int>(number), static_cast<int>(code)});
      at = end + 1;
    }
    const std::lock_guard lock(mutex_);
    failures_ = std::move(failures);
    calls_.clear();
    return true;
  }
  if (name == "LOSS") {
    loses_process = value == "process";
    return value == "process" || value == "context";
  }
  if (!ToNumber(value, number)) return false;
  if (name == "DEVICES") devices = static_cast<int>(number);
  else if (name == "MEM") memory = static_cast<uint64_t>(number) << 20;
  else if (name == "DELAY_US") delay_us = static_cast<int>(number);
  else if (name == "TRACE") trace = number != 0;
  else if (name == "RACE") launch.check_races = number != 0;
  else if (name == "THREADS") launch.threads = static_cast<unsigned>(number);
  else return false;
  return true;
}

int Settings::Injected(const std::string& call) {
  const std::lock_guard lock(mutex_);
  if (trace) std::fprintf(stderr, "grsim: %s\n", call.c_str());
  if (failures_.empty()) return 0;
  const int number = ++calls_[call];
  for (const Failure& failure : failures_)
    if (failure.call == call && (failure.number == 0 || failure.number == number)) return failure.code;
  return 0;
}

}  // namespace grsim
