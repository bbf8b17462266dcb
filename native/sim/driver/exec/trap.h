// A kernel's fault, with the status that the driver answers from then on.
#pragma once
#include <string>

namespace grsim {

enum TrapCode { kIllegalAddress = 700, kLaunchTimeout = 702, kIllegalInstruction = 715, kMisaligned = 716, kLaunchFailed = 719 };

struct Trap {
  int code;
  std::string what;
};

}  // namespace grsim
