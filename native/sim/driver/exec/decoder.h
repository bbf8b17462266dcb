// What the parts of the decoder share: registers, constants and addresses of one kernel.
#pragma once
#include "program.h"

namespace grsim {

class Decoder {
 public:
  Decoder(const Unit& unit, const Kernel& kernel, const Addresses& addresses, Program& program);

  void Run();

  /// Row of a source: a register, a special register, a number or a variable's address.
  uint32_t Source(const Statement& s, const Operand& operand, Type type);
  uint32_t Source(const Statement& s, size_t index, Type type) { return Source(s, At(s, index), type); }
  /// Row of a result.
  uint32_t Target(const Statement& s, const Operand& operand);
  uint32_t Target(const Statement& s, size_t index) { return Target(s, At(s, index)); }
  uint32_t Predicate(const Statement& s, const Operand& operand);
  bool IsPredicate(const Operand& operand) const;
  /// A register of 64 bits; constants are not.
  bool IsWide(const Operand& operand) const;
  /// Base row and offset of an address.
  void Address(const Statement& s, const Operand& operand, uint32_t& row, int64_t& offset);
  /// Member masks of a .sync instruction; 0 where it is the number of all lanes.
  uint32_t Members(const Statement& s, size_t index);
  /// Adds operands to the program's lists. @return index of the first
  uint32_t List(const std::vector<uint32_t>& rows);
  void SharedAccess(uint32_t bytes);

  static const Operand& At(const Statement& s, size_t index);
  static void Count(const Statement& s, size_t count);
  static const std::vector<Operand>& Items(const Statement& s, size_t index, size_t count);
  /// Every word after the first must be one of these, separated by blanks, or a type. What is not known is never ignored.
  static void Words(const Statement& s, std::string_view allowed);
  [[noreturn]] static void Unknown(const Statement& s);

  Program& program() { return program_; }

 private:
  struct Register { uint32_t place; bool wide; };

  void Registers();
  void Variables();
  Ins Instruction(const Statement& s);
  bool Flow_(const Statement& s, Ins& in);
  uint32_t Constant_(uint64_t value, bool wide);
  uint32_t Allocate(bool wide);

  const Unit& unit_;
  const Kernel& kernel_;
  const Addresses& addresses_;
  Program& program_;
  std::map<std::string, Register> rows_;
  std::map<std::string, uint32_t> predicates_;
  std::map<std::string, uint64_t> symbols_;
  std::map<std::pair<uint64_t, bool>, uint32_t> constants_;
  uint32_t next_ = 0, scratch_ = 0, scratch_predicate_ = 0;
};

/// The groups of instructions. @return false where the instruction is not of the group
bool DecodeArithmetic(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeFloat(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeBits(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeCompare(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeMove(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeConvert(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeMemory(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeAtomic(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeCopy(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeExchange(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeTensor(Decoder& decoder, const Statement& s, Ins& in);
bool DecodeWmma(Decoder& decoder, const Statement& s, Ins& in);

/// The last word of an instruction that is a type.
inline Type LastType(const Statement& s) {
  for (auto word = s.words.rbegin(); word != s.words.rend(); ++word)
    if (const Type type = TypeOf(*word); type != Type::None) return type;
  return Type::None;
}

}  // namespace grsim
