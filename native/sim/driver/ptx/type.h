// The types that PTX instructions name.
#pragma once
#include <cstdint>
#include <string_view>

namespace grsim {

enum class Type : uint8_t { None, Pred, B8, B16, B32, B64, U8, U16, U32, U64, S8, S16, S32, S64, F16, F16x2, BF16, BF16x2, TF32, F32, F64 };

constexpr int SizeOf(Type type) {
  switch (type) {
    case Type::Pred: case Type::B8: case Type::U8: case Type::S8: return 1;
    case Type::B16: case Type::U16: case Type::S16: case Type::F16: case Type::BF16: return 2;
    case Type::B64: case Type::U64: case Type::S64: case Type::F64: return 8;
    default: return 4;
  }
}

constexpr bool IsSigned(Type type) { return type >= Type::S8 && type <= Type::S64; }

constexpr Type TypeOf(std::string_view name) {
  struct Name { std::string_view text; Type type; };
  constexpr Name names[] = {
      {"pred", Type::Pred}, {"b8", Type::B8}, {"b16", Type::B16}, {"b32", Type::B32}, {"b64", Type::B64},
      {"u8", Type::U8}, {"u16", Type::U16}, {"u32", Type::U32}, {"u64", Type::U64},
      {"s8", Type::S8}, {"s16", Type::S16}, {"s32", Type::S32}, {"s64", Type::S64},
      {"f16", Type::F16}, {"f16x2", Type::F16x2}, {"bf16", Type::BF16}, {"bf16x2", Type::BF16x2}, {"tf32", Type::TF32}, {"f32", Type::F32}, {"f64", Type::F64}};
  for (const auto& name_ : names)
    if (name_.text == name) return name_.type;
  return Type::None;
}

}  // namespace grsim
