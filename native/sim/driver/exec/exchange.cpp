// Barriers, and what the lanes of a warp tell each other: shfl, vote, match, redux.
#include "handlers.h"

namespace grsim {
namespace {

enum ShuffleMode : uint32_t { kIndex, kUp, kDown, kButterfly };

/// d: result; e: predicate of being in range, or none; a: value; b: lane; c: bounds.
void Shuffle(Warp& warp, const Ins& in, uint32_t mask) {
  auto* d = warp.Row<uint32_t>(in.d);
  const auto *a = warp.Row<uint32_t>(in.a), *b = warp.Row<uint32_t>(in.b), *c = warp.Row<uint32_t>(in.c);
  uint32_t value[32], in_range = 0;
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const int by = static_cast<int>(b[lane] & 31), segment = static_cast<int>(c[lane] >> 8 & 31), clamp = static_cast<int>(c[lane] & 31);
    const int highest = (lane & segment) | (clamp & ~segment), lowest = lane & segment;
    int from = 0;
    bool ok = false;
    switch (in.mode) {
      case kIndex: from = lowest | (by & ~segment); ok = from <= highest; break;
      case kUp: from = lane - by; ok = from >= highest; break;
      case kDown: from = lane + by; ok = from <= highest; break;
      default: from = lane ^ by; ok = from <= highest; break;
    }
    if (!ok) from = lane;
    if ((mask >> from & 1) == 0) throw Trap{kIllegalInstruction, "lane " + std::to_string(lane) + " reads from lane " + std::to_string(from) + ", which is not a member"};
    value[lane] = a[from];
    in_range |= static_cast<uint32_t>(ok) << lane;
  }
  for (uint32_t left = mask; left != 0; left &= left - 1) d[std::countr_zero(left)] = value[std::countr_zero(left)];
  if (in.e != kNone) warp.predicates[in.e] = (warp.predicates[in.e] & ~mask) | (in_range & mask);
}

enum VoteMode : uint32_t { kBallot, kAny, kAll, kUniform };

/// offset: a is negated.
void Vote(Warp& warp, const Ins& in, uint32_t mask) {
  const uint32_t votes = (in.offset != 0 ? ~warp.Predicate(in.a) : warp.Predicate(in.a)) & mask;
  if (in.mode == kBallot) {
    ForLanes(mask, [&](uint32_t lane) { warp.Row<uint32_t>(in.d)[lane] = votes; });
    return;
  }
  const bool result = in.mode == kAny ? votes != 0 : in.mode == kAll ? votes == mask : votes == 0 || votes == mask;
  warp.predicates[in.d] = (warp.predicates[in.d] & ~mask) | (result ? mask : 0);
}

template <class T>
void MatchAny(Warp& warp, const Ins& in, uint32_t mask) {
  const auto* a = warp.Row<T>(in.a);
  uint32_t same[32] = {};
  for (uint32_t i = 0; i < 32; ++i)
    for (uint32_t j = 0; j < 32; ++j)
      if ((mask >> i & mask >> j & 1) != 0 && a[i] == a[j]) same[i] |= 1u << j;
  ForLanes(mask, [&](uint32_t lane) { warp.Row<uint32_t>(in.d)[lane] = same[lane]; });
}

enum Reduction : uint32_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kReductions };
constexpr const char* kReductionNames[] = {"add", "min", "max", "and", "or", "xor"};

template <class T>
void Reduce(Warp& warp, const Ins& in, uint32_t mask) {
  const auto* a = warp.Row<T>(in.a);
  T result = a[std::countr_zero(mask)];
  for (uint32_t left = mask & (mask - 1); left != 0; left &= left - 1) {
    const T value = a[std::countr_zero(left)];
    switch (in.mode) {
      case kAdd: result = static_cast<T>(static_cast<uint32_t>(result) + static_cast<uint32_t>(value)); break;
      case kMin: result = std::min(result, value); break;
      case kMax: result = std::max(result, value); break;
      case kAnd: result &= value; break;
      case kOr: result |= value; break;
      default: result ^= value; break;
    }
  }
  ForLanes(mask, [&](uint32_t lane) { warp.Row<T>(in.d)[lane] = result; });
}

/// A warp barrier: what its lanes did before it comes before what they do after it.
void WarpBarrier(Warp& warp, const Ins&, uint32_t) { ++warp.epoch; }

/// Accesses stay in the order of the program here, so a fence has nothing to do. It orders nothing between lanes.
void Fence(Warp&, const Ins&, uint32_t) {}

void ActiveMask(Warp& warp, const Ins& in, uint32_t mask) {
  ForLanes(mask, [&](uint32_t lane) { warp.Row<uint32_t>(in.d)[lane] = mask; });
}

void Abort(Warp&, const Ins&, uint32_t) { throw Trap{kLaunchFailed, "trap"}; }

void DecodeBarrier(Decoder& decoder, const Statement& s, Ins& in) {
  if (s.Has("warp")) {
    Decoder::Words(s, "warp sync");
    Decoder::Count(s, 1);
    in.flow = Flow::Converge;
    in.run = &WarpBarrier;
    in.members = decoder.Members(s, 0);
    return;
  }
  Decoder::Words(s, "cta sync aligned red popc and or");
  const bool reduces = s.Has("red");
  Decoder::Count(s, reduces ? 3 : 1);
  const Operand& number = s.operands[reduces ? 1 : 0];
  if (number.kind != Operand::Kind::Integer || number.value != 0) throw PtxError(s.line, "only barrier 0 of all threads is supported in '" + s.text + "'");
  in.flow = Flow::Barrier;
  if (!reduces) return;
  in.mode = s.Has("popc") ? 1 : s.Has("and") ? 2 : 3;
  in.d = in.mode == 1 ? decoder.Target(s, 0) : decoder.Predicate(s, s.operands[0]);
  in.a = decoder.Predicate(s, s.operands[2]);
  in.offset = s.operands[2].negated ? 1 : 0;
}

void DecodeShuffle(Decoder& decoder, const Statement& s, Ins& in) {
  Decoder::Words(s, "sync idx up down bfly");
  Decoder::Count(s, 5);
  const bool both = s.operands[0].kind == Operand::Kind::Vector;
  in.flow = Flow::Converge;
  in.run = &Shuffle;
  in.mode = s.Has("idx") ? kIndex : s.Has("up") ? kUp : s.Has("down") ? kDown : kButterfly;
  in.d = decoder.Target(s, both ? s.operands[0].items[0] : s.operands[0]);
  in.e = both ? decoder.Predicate(s, s.operands[0].items[1]) : kNone;
  in.a = decoder.Source(s, 1, Type::B32);
  in.b = decoder.Source(s, 2, Type::B32);
  in.c = decoder.Source(s, 3, Type::B32);
  in.members = decoder.Members(s, 4);
}

}  // namespace

bool DecodeExchange(Decoder& decoder, const Statement& s, Ins& in) {
  const std::string& op = s.words[0];
  const Type type = LastType(s);
  if (op == "bar" || op == "barrier") {
    DecodeBarrier(decoder, s, in);
  } else if (op == "shfl") {
    DecodeShuffle(decoder, s, in);
  } else if (op == "vote") {
    Decoder::Words(s, "sync ballot any all uni");
    Decoder::Count(s, 3);
    in.flow = Flow::Converge;
    in.run = &Vote;
    in.mode = s.Has("ballot") ? kBallot : s.Has("any") ? kAny : s.Has("all") ? kAll : kUniform;
    in.d = in.mode == kBallot ? decoder.Target(s, 0) : decoder.Predicate(s, s.operands[0]);
    in.a = decoder.Predicate(s, s.operands[1]);
    in.offset = s.operands[1].negated ? 1 : 0;
    in.members = decoder.Members(s, 2);
  } else if (op == "match") {
    Decoder::Words(s, "any sync");
    Decoder::Count(s, 3);
    in.flow = Flow::Converge;
    in.run = SizeOf(type) == 8 ? &MatchAny<uint64_t> : &MatchAny<uint32_t>;
    in.d = decoder.Target(s, 0);
    in.a = decoder.Source(s, 1, type);
    in.members = decoder.Members(s, 2);
  } else if (op == "redux") {
    Decoder::Words(s, "sync add min max and or xor");
    Decoder::Count(s, 3);
    in.flow = Flow::Converge;
    in.run = IsSigned(type) ? &Reduce<int32_t> : &Reduce<uint32_t>;
    in.mode = kReductions;
    for (uint32_t i = 0; i < kReductions; ++i)
      if (s.Has(kReductionNames[i])) in.mode = i;
    in.d = decoder.Target(s, 0);
    in.a = decoder.Source(s, 1, type);
    in.members = decoder.Members(s, 2);
  } else if (op == "activemask") {
    Decoder::Words(s, "");
    in.run = &ActiveMask;
    in.d = decoder.Target(s, 0);
  } else if (op == "membar" || op == "fence") {
    Decoder::Words(s, "cta gl sys gpu sc acq_rel");
    in.run = &Fence;
  } else if (op == "trap") {
    in.run = &Abort;
  } else {
    return false;
  }
  return true;
}

}  // namespace grsim
