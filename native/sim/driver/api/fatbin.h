// NVIDIA's container of machine code and PTX, as `nvcc -fatbin --no-compress` writes it.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace grsim {

struct FatbinChoice {
  std::string ptx;                          // empty: error says why
  std::string error;
  int architecture = 0;
  bool has_machine_code = false;            // for the capability, so that a device would not compile at load
  std::map<std::string, int> registers;     // of the machine code's kernels
};

/// What a driver of this capability would take from a fat binary, or from PTX text that ends with a zero byte.
FatbinChoice Choose(const void* image, int capability);

}  // namespace grsim
