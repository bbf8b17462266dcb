#include "fatbin.h"

#include <elf.h>

#include <cstring>

namespace grsim {
namespace {

// Layout as found in the files; all little-endian.
#pragma pack(push, 1)
struct Head { uint32_t magic; uint16_t version, bytes; uint64_t size; };
struct Part {
  uint16_t kind, version;  // kind 1: PTX, 2: machine code (ELF)
  uint32_t head_bytes;
  uint64_t size;
  uint32_t compressed_size, options_offset;
  uint16_t minor, major;
  uint32_t architecture, name_offset, name_bytes;
  uint64_t flags, unused, uncompressed_size;
};
#pragma pack(pop)
constexpr uint32_t kMagic = 0xBA55ED50;
constexpr uint64_t kCompressed = 0x2000;

/// The section of a kernel's code bears its registers in the upper byte of sh_info.
void ReadRegisters(const char* elf, uint64_t size, std::map<std::string, int>& registers) {
  Elf64_Ehdr head;
  if (size < sizeof head) return;
  std::memcpy(&head, elf, sizeof head);
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_shoff + uint64_t{head.e_shnum} * sizeof(Elf64_Shdr) > size || head.e_shstrndx >= head.e_shnum) return;
  const auto section = [&](unsigned i) {
    Elf64_Shdr s;
    std::memcpy(&s, elf + head.e_shoff + i * sizeof s, sizeof s);
    return s;
  };
  const Elf64_Shdr names = section(head.e_shstrndx);
  for (unsigned i = 0; i < head.e_shnum; ++i) {
    const Elf64_Shdr s = section(i);
    if (names.sh_offset + s.sh_name + 7 > size) continue;
    const char* name = elf + names.sh_offset + s.sh_name;
    if (std::strncmp(name, ".text.", 6) == 0) registers[name + 6] = static_cast<int>(s.sh_info >> 24);
  }
}

}  // namespace

FatbinChoice Choose(const void* image, int capability) {
  FatbinChoice choice;
  Head head;
  std::memcpy(&head, image, sizeof head.magic);
  if (head.magic != kMagic) {
    const auto* text = static_cast<const char*>(image);
    // Whatever is not a fat binary must be text with a version: a look at its first bytes, so that no wild pointer is followed far.
    if (std::memchr(text, 0, 16) != nullptr || std::strstr(text, ".version") == nullptr) choice.error = "the image is neither a fat binary nor PTX text";
    else choice.ptx = text;
    return choice;
  }
  std::memcpy(&head, image, sizeof head);
  const char* at = static_cast<const char*>(image) + head.bytes;
  const char* end = at + head.size;
  int machine = 0;
  while (at + sizeof(Part) <= end) {
    Part part;
    std::memcpy(&part, at, sizeof part);
    const auto architecture = static_cast<int>(part.architecture);
    const char* data = at + part.head_bytes;
    if (part.head_bytes < sizeof part || data + part.size > end) {
      choice.error = "the fat binary is cut short";
      break;
    }
    if (part.kind == 1 && architecture <= capability && architecture > choice.architecture) {
      if ((part.flags & kCompressed) != 0 || part.compressed_size != 0) {
        choice.error = "the fat binary's PTX is compressed: build it with --no-compress";
      } else {
        choice.architecture = architecture;
        choice.ptx.assign(data, strnlen(data, part.size));
      }
    }
    if (part.kind == 2 && architecture / 10 == capability / 10 && architecture <= capability && architecture > machine) {
      machine = architecture;
      choice.has_machine_code = true;
      choice.registers.clear();
      ReadRegisters(data, part.size, choice.registers);
    }
    at = data + part.size;
  }
  if (choice.ptx.empty() && choice.error.empty()) choice.error = "the fat binary has no PTX for capability " + std::to_string(capability / 10) + "." + std::to_string(capability % 10) + " or below";
  if (!choice.ptx.empty()) choice.error.clear();
  return choice;
}

}  // namespace grsim
