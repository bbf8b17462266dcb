#include "decoder.h"

#include <algorithm>

namespace grsim {

Decoder::Decoder(const Unit& unit, const Kernel& kernel, const Addresses& addresses, Program& program)
    : unit_(unit), kernel_(kernel), addresses_(addresses), program_(program) {}

std::unique_ptr<Program> Decode(const Unit& unit, const Kernel& kernel, const Addresses& addresses) {
  auto program = std::make_unique<Program>();
  Decoder(unit, kernel, addresses, *program).Run();
  return program;
}

void Decoder::Run() {
  program_.name = kernel_.name;
  program_.max_threads = kernel_.max_threads;
  Registers();
  Variables();
  for (const Statement& statement : kernel_.statements) {
    Ins in = Instruction(statement);
    in.line = statement.line;
    if (!statement.guard.empty()) {
      Operand guard;
      guard.name = statement.guard;
      in.guard = static_cast<int16_t>(Predicate(statement, guard));
      in.guard_negated = statement.guard_negated;
    }
    program_.code.push_back(in);
  }
  // Whoever runs off the end has ended.
  Ins end;
  end.flow = Flow::Exit;
  end.line = kernel_.statements.empty() ? kernel_.line : kernel_.statements.back().line;
  program_.code.push_back(end);
  program_.register_bytes = (next_ + 63) / 64 * 64;
  program_.predicates = static_cast<uint32_t>(predicates_.size()) + 1;
}

uint32_t Decoder::Allocate(bool wide) {
  const uint32_t at = next_;
  next_ += wide ? 2 * kRow : kRow;
  return at;
}

void Decoder::Registers() {
  next_ = kSpecialCount * kRow;
  for (const auto& [name, type] : kernel_.registers) {
    if (type == Type::Pred) {
      const auto number = static_cast<uint32_t>(predicates_.size());
      predicates_[name] = number;
    } else {
      rows_[name] = {Allocate(SizeOf(type) == 8), SizeOf(type) == 8};
    }
  }
  scratch_ = Allocate(true);
  scratch_predicate_ = static_cast<uint32_t>(predicates_.size());
  if (predicates_.size() > 30'000) throw PtxError(kernel_.line, "more than 30000 predicates");
}

void Decoder::Variables() {
  for (const auto& [name, address] : addresses_) symbols_[name] = address;
  uint32_t parameter = 0;
  for (const Variable& variable : kernel_.parameters) {
    parameter = static_cast<uint32_t>((parameter + variable.align - 1) / variable.align * variable.align);
    symbols_[variable.name] = parameter;
    program_.parameters.push_back({static_cast<uint32_t>(variable.bytes), parameter});
    parameter += static_cast<uint32_t>(variable.bytes);
  }
  program_.parameter_bytes = parameter;

  // Shared variables of the module stand before those of the kernel; only those that it names take memory.
  std::vector<const Variable*> all;
  for (const Variable& variable : unit_.variables) {
    const bool named = std::any_of(kernel_.statements.begin(), kernel_.statements.end(), [&](const Statement& s) {
      return std::any_of(s.operands.begin(), s.operands.end(), [&](const Operand& operand) { return operand.name == variable.name; });
    });
    if (variable.space == Space::Shared && named) all.push_back(&variable);
  }
  for (const Variable& variable : kernel_.variables) all.push_back(&variable);
  uint32_t shared = 0, local = 0;
  std::vector<const Variable*> external;
  for (const Variable* variable : all) {
    if (variable->space != Space::Shared && variable->space != Space::Local) throw PtxError(kernel_.line, "variable '" + variable->name + "' is not in shared or local memory");
    uint32_t& next = variable->space == Space::Shared ? shared : local;
    if (variable->space == Space::Shared && variable->bytes == 0) {
      external.push_back(variable);
      continue;
    }
    next = static_cast<uint32_t>((next + variable->align - 1) / variable->align * variable->align);
    symbols_[variable->name] = next;
    next += static_cast<uint32_t>(variable->bytes);
  }
  program_.static_shared = shared;
  program_.local_bytes = (local + 15) / 16 * 16;
  program_.external_shared = !external.empty();
  for (const Variable* variable : external) symbols_[variable->name] = (shared + 15) / 16 * 16;
}

uint32_t Decoder::Constant_(uint64_t value, bool wide) {
  if (!wide) value &= 0xFFFFFFFFu;
  const auto [found, is_new] = constants_.try_emplace({value, wide}, next_);
  if (is_new) program_.constants.push_back({Allocate(wide), value, wide});
  return found->second;
}

uint32_t Decoder::Source(const Statement& s, const Operand& operand, Type type) {
  const bool wide = SizeOf(type) == 8;
  switch (operand.kind) {
    case Operand::Kind::Integer: return Constant_(operand.value, wide);
    case Operand::Kind::Float32: return Constant_(operand.value, wide);
    case Operand::Kind::Float64: return Constant_(operand.value, true);
    case Operand::Kind::Name: break;
    default: throw PtxError(s.line, "a register or a number expected in '" + s.text + "'");
  }
  if (const auto found = rows_.find(operand.name); found != rows_.end()) {
    if (found->second.wide != wide) throw PtxError(s.line, "register '" + operand.name + "' has not the width that '" + s.text + "' reads");
    return found->second.place;
  }
  static const std::map<std::string, uint32_t> specials = {
      {"%tid.x", kTidX}, {"%tid.y", kTidY}, {"%tid.z", kTidZ}, {"%ntid.x", kNtidX}, {"%ntid.y", kNtidY}, {"%ntid.z", kNtidZ},
      {"%ctaid.x", kCtaX}, {"%ctaid.y", kCtaY}, {"%ctaid.z", kCtaZ}, {"%nctaid.x", kNctaX}, {"%nctaid.y", kNctaY}, {"%nctaid.z", kNctaZ},
      {"%laneid", kLane}, {"%warpid", kWarp}, {"%nwarpid", kNwarps}, {"%lanemask_lt", kLaneMaskLt}, {"%lanemask_le", kLaneMaskLe},
      {"%lanemask_eq", kLaneMaskEq}, {"%lanemask_ge", kLaneMaskGe}, {"%lanemask_gt", kLaneMaskGt},
      {"%dynamic_smem_size", kDynamicShared}, {"%total_smem_size", kTotalShared}, {"%smid", kZero}, {"%clock", kZero}};
  if (const auto found = specials.find(operand.name); found != specials.end() && !wide) return found->second * kRow;
  if (const auto found = symbols_.find(operand.name); found != symbols_.end()) return Constant_(found->second, wide);
  throw PtxError(s.line, "'" + operand.name + "' is not known");
}

uint32_t Decoder::Target(const Statement& s, const Operand& operand) {
  if (operand.kind == Operand::Kind::Name) {
    if (operand.name == "_") return scratch_;
    if (const auto found = rows_.find(operand.name); found != rows_.end()) return found->second.place;
  }
  throw PtxError(s.line, "a register expected as result of '" + s.text + "'");
}

bool Decoder::IsPredicate(const Operand& operand) const { return operand.kind == Operand::Kind::Name && predicates_.contains(operand.name); }

bool Decoder::IsWide(const Operand& operand) const {
  const auto found = rows_.find(operand.name);
  return found != rows_.end() && found->second.wide;
}

uint32_t Decoder::Predicate(const Statement& s, const Operand& operand) {
  if (operand.kind == Operand::Kind::Name) {
    if (operand.name == "_") return scratch_predicate_;
    if (const auto found = predicates_.find(operand.name); found != predicates_.end()) return found->second;
  }
  throw PtxError(s.line, "a predicate expected in '" + s.text + "'");
}

void Decoder::Address(const Statement& s, const Operand& operand, uint32_t& row, int64_t& offset) {
  if (operand.kind != Operand::Kind::Address) throw PtxError(s.line, "an address expected in '" + s.text + "'");
  offset = operand.offset;
  Operand base = operand;
  base.kind = operand.name.empty() ? Operand::Kind::Integer : Operand::Kind::Name;
  // Shared addresses may lie in registers of 32 bits.
  if (const auto found = rows_.find(operand.name); found != rows_.end() && !found->second.wide) {
    row = found->second.place | 1;
    return;
  }
  row = Source(s, base, Type::U64);
}

uint32_t Decoder::Members(const Statement& s, size_t index) {
  const Operand& operand = At(s, index);
  if (operand.kind == Operand::Kind::Integer && static_cast<uint32_t>(operand.value) == kNone) return 0;
  return Source(s, operand, Type::B32);
}

uint32_t Decoder::List(const std::vector<uint32_t>& rows) {
  const auto first = static_cast<uint32_t>(program_.lists.size());
  program_.lists.insert(program_.lists.end(), rows.begin(), rows.end());
  return first;
}

void Decoder::SharedAccess(uint32_t bytes) { program_.shared_grain = std::min(program_.shared_grain, bytes); }

const Operand& Decoder::At(const Statement& s, size_t index) {
  if (index >= s.operands.size()) throw PtxError(s.line, "'" + s.text + "' has too few operands");
  return s.operands[index];
}

void Decoder::Count(const Statement& s, size_t count) {
  if (s.operands.size() != count) throw PtxError(s.line, "'" + s.text + "' with " + std::to_string(s.operands.size()) + " operands; " + std::to_string(count) + " are known");
}

const std::vector<Operand>& Decoder::Items(const Statement& s, size_t index, size_t count) {
  const Operand& operand = At(s, index);
  if (operand.kind != Operand::Kind::Vector || operand.items.size() != count) throw PtxError(s.line, "'" + s.text + "' needs " + std::to_string(count) + " registers as operand " + std::to_string(index));
  return operand.items;
}

void Decoder::Words(const Statement& s, std::string_view allowed) {
  for (size_t i = 1; i < s.words.size(); ++i) {
    const std::string& word = s.words[i];
    if (TypeOf(word) != Type::None || (word.empty() && i + 1 < s.words.size())) continue;
    bool found = false;
    for (size_t at = allowed.find(word); at != std::string_view::npos && !found; at = allowed.find(word, at + 1))
      found = (at == 0 || allowed[at - 1] == ' ') && (at + word.size() == allowed.size() || allowed[at + word.size()] == ' ');
    if (!found) Unknown(s);
  }
}

void Decoder::Unknown(const Statement& s) { throw PtxError(s.line, "instruction '" + s.text + "' is not known"); }

bool Decoder::Flow_(const Statement& s, Ins& in) {
  const std::string& op = s.words[0];
  const auto label = [&](const std::string& name) {
    const auto found = kernel_.labels.find(name);
    if (found == kernel_.labels.end()) throw PtxError(s.line, "label '" + name + "' is not known");
    return static_cast<uint32_t>(found->second);
  };
  if (op == "bra") {
    Words(s, "uni");
    Count(s, 1);
    in.flow = Flow::Branch;
    in.target = label(s.operands[0].name);
  } else if (op == "brx") {
    Words(s, "idx uni");
    Count(s, 2);
    in.flow = Flow::Table;
    in.a = Source(s, 0, Type::U32);
    in.target = static_cast<uint32_t>(program_.tables.size());
    const auto found = kernel_.branch_tables.find(s.operands[1].name);
    if (found == kernel_.branch_tables.end()) throw PtxError(s.line, "branch table '" + s.operands[1].name + "' is not known");
    std::vector<uint32_t> table;
    for (const auto& name : found->second) table.push_back(label(name));
    program_.tables.push_back(std::move(table));
  } else if (op == "ret" || op == "exit") {
    Words(s, "uni");
    in.flow = Flow::Exit;
  } else {
    return false;
  }
  return true;
}

Ins Decoder::Instruction(const Statement& s) {
  Ins in;
  if (Flow_(s, in)) return in;
  for (const auto decode : {DecodeMemory, DecodeArithmetic, DecodeFloat, DecodeBits, DecodeCompare, DecodeMove, DecodeConvert, DecodeExchange, DecodeTensor, DecodeWmma, DecodeCopy, DecodeAtomic})
    if (decode(*this, s, in)) return in;
  Unknown(s);
}

}  // namespace grsim
