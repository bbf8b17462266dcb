// A kernel in the form that is run: decoded once, when its module is loaded.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../ptx/syntax.h"

namespace grsim {

struct Warp;
struct Ins;
/// Runs one instruction for the lanes of the mask.
using Handler = void (*)(Warp& warp, const Ins& in, uint32_t mask);

enum class Flow : uint8_t {
  Plain,
  Branch,
  Table,     // brx.idx
  Exit,
  Barrier,   // waits for the block
  Converge,  // waits for the warp's lanes that the mask names
};

/// Operands are byte offsets of rows in the warp's registers (32 lanes of 4 or 8 bytes), or numbers of predicates.
struct Ins {
  Handler run = nullptr;
  Flow flow = Flow::Plain;
  bool guard_negated = false;
  int16_t guard = -1;
  uint32_t d = 0, a = 0, b = 0, c = 0, e = 0;
  uint32_t members = 0;          // Converge: row of the member masks; 0: all lanes, as .aligned demands
  uint32_t target = 0;           // Branch: index; Table: in Program::tables
  uint32_t mode = 0;             // the handler's own
  uint32_t bytes = 0;            // memory: of one element
  uint32_t list = 0, count = 0;  // further operands in Program::lists
  int64_t offset = 0, offset2 = 0;
  int line = 0;
};

constexpr uint32_t kNone = 0xFFFFFFFFu;

/// Rows at the start of every warp's registers, in this order, 4 bytes a lane. Row 0 is not used, so that 0 means none.
enum Special : uint32_t {
  kUnused, kTidX, kTidY, kTidZ, kLane, kWarp, kLaneMaskLt, kLaneMaskLe, kLaneMaskEq, kLaneMaskGe, kLaneMaskGt,
  kCtaX, kCtaY, kCtaZ, kNtidX, kNtidY, kNtidZ, kNctaX, kNctaY, kNctaZ, kNwarps, kDynamicShared, kTotalShared, kZero, kSpecialCount
};

constexpr uint32_t kRow = 128;  // bytes of a row of 32-bit lanes

struct Constant { uint32_t row; uint64_t value; bool wide; };
struct Parameter { uint32_t bytes, offset; };

struct Program {
  std::string name;
  std::vector<Ins> code;
  std::vector<uint32_t> lists;
  std::vector<std::vector<uint32_t>> tables;
  std::vector<Constant> constants;
  std::vector<Parameter> parameters;
  std::vector<std::string> predicate_names;
  uint32_t parameter_bytes = 0, register_bytes = 0, predicates = 0;
  uint32_t static_shared = 0, local_bytes = 0;
  uint32_t shared_grain = 16;    // bytes of the smallest access that may go to shared memory
  bool external_shared = false;
  int max_threads = 1024;
};

/// What a module's global and constant variables got as addresses.
using Addresses = std::map<std::string, uint64_t>;

/// @throws PtxError names the line of what is not known.
std::unique_ptr<Program> Decode(const Unit& unit, const Kernel& kernel, const Addresses& addresses);

}  // namespace grsim
