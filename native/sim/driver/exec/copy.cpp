// cp.async: copies from device to shared memory that land when they are waited for.
#include "handlers.h"

namespace grsim {
namespace {

/// a: shared address; b: device address; bytes: of a copy; c: row of the bytes that are read, the rest is zero; 0: all.
void Begin(Warp& warp, const Ins& in, uint32_t mask) {
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(left));
    const uint64_t to = ((in.a & 1) != 0 ? warp.Row<uint32_t>(in.a & ~1u)[lane] : warp.Row<uint64_t>(in.a)[lane]) + static_cast<uint64_t>(in.offset);
    const uint64_t from = warp.Row<uint64_t>(in.b)[lane] + static_cast<uint64_t>(in.offset2);
    warp.block->BeginCopy(warp, lane, static_cast<uint32_t>(to), from, in.bytes, in.c != 0 ? warp.Row<uint32_t>(in.c)[lane] : in.bytes);
    warp.block->stats().global_bytes += in.bytes;
  }
}

void Commit(Warp& warp, const Ins&, uint32_t mask) {
  for (uint32_t left = mask; left != 0; left &= left - 1) warp.block->CommitCopies(warp, static_cast<uint32_t>(std::countr_zero(left)));
}

/// mode: groups that may stay under way; offset 1: all copies, grouped or not.
void Wait(Warp& warp, const Ins& in, uint32_t mask) {
  for (uint32_t left = mask; left != 0; left &= left - 1) warp.block->WaitCopies(warp, static_cast<uint32_t>(std::countr_zero(left)), in.mode, in.offset != 0);
}

}  // namespace

bool DecodeCopy(Decoder& decoder, const Statement& s, Ins& in) {
  if (s.words[0] != "cp" || s.words.size() < 2 || s.words[1] != "async") return false;
  if (s.Has("commit_group")) {
    Decoder::Words(s, "async commit_group");
    Decoder::Count(s, 0);
    in.run = &Commit;
    return true;
  }
  if (s.Has("wait_group") || s.Has("wait_all")) {
    Decoder::Words(s, "async wait_group wait_all");
    Decoder::Count(s, s.Has("wait_all") ? 0 : 1);
    in.run = &Wait;
    in.mode = s.Has("wait_all") ? 0 : static_cast<uint32_t>(s.operands[0].value);
    in.offset = s.Has("wait_all") ? 1 : 0;
    return true;
  }
  Decoder::Words(s, "async ca cg shared global L2::64B L2::128B L2::256B");
  if (s.operands.size() != 3 && s.operands.size() != 4) Decoder::Unknown(s);
  in.run = &Begin;
  decoder.Address(s, s.operands[0], in.a, in.offset);
  decoder.Address(s, s.operands[1], in.b, in.offset2);
  in.bytes = static_cast<uint32_t>(s.operands[2].value);
  if ((in.b & 1) != 0 || (in.bytes != 4 && in.bytes != 8 && in.bytes != 16)) Decoder::Unknown(s);
  if (s.operands.size() == 4) in.c = decoder.Source(s, 3, Type::U32);
  decoder.SharedAccess(in.bytes);
  return true;
}

}  // namespace grsim
