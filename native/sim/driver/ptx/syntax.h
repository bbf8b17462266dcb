// A PTX module as it is written: what the parser gives to the decoder.
#pragma once
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "type.h"

namespace grsim {

/// The module cannot be run. Names the line, so that the instruction can be looked up in the PTX.
struct PtxError : std::runtime_error {
  PtxError(int line, const std::string& what) : std::runtime_error("PTX line " + std::to_string(line) + ": " + what) {}
};

struct Operand {
  enum class Kind : uint8_t { Name, Integer, Float32, Float64, Vector, Address } kind = Kind::Name;
  std::string name;            // Name; base of an Address, empty where it is a number
  uint64_t value = 0;          // Integer, bits of a Float; number of an Address
  int64_t offset = 0;          // Address
  bool negated = false;        // !p
  std::vector<Operand> items;  // Vector; a pair d|p is a Vector too
};

struct Statement {
  int line = 0;
  std::string guard;           // empty: always executed
  bool guard_negated = false;
  std::string text;            // "ld.global.nc.v4.u32"
  std::vector<std::string> words;
  std::vector<Operand> operands;

  bool Has(std::string_view word) const {
    for (const auto& w : words)
      if (w == word) return true;
    return false;
  }
};

enum class Space : uint8_t { Generic, Global, Shared, Param, Local, Const };

struct Variable {
  std::string name;
  Space space = Space::Global;
  Type type = Type::B8;
  int64_t align = 1;
  int64_t bytes = 0;           // 0: an external array, its size is the launch's
  std::vector<uint8_t> initial;
};

struct Kernel {
  std::string name;
  int line = 0;
  std::vector<Variable> parameters;
  std::vector<Variable> variables;             // shared and local
  std::map<std::string, Type> registers;
  std::map<std::string, size_t> labels;        // index of the statement that follows
  std::map<std::string, std::vector<std::string>> branch_tables;
  std::vector<Statement> statements;
  int max_threads = 1024;
};

struct Unit {
  std::string version, target;
  std::vector<Variable> variables;
  std::vector<Kernel> kernels;
};

/// @throws PtxError
Unit Parse(std::string_view text);

}  // namespace grsim
