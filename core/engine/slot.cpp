#include "engine/slot.hpp"

#include <array>
#include <memory>

namespace concur::engine {

namespace {

// CRC16 of the XMODEM kind: polynomial 0x1021, from zero.
constexpr std::array<std::uint16_t, 256> make_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    unsigned crc = byte << 8U;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    }
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr auto kTable = make_table();

unsigned crc16(std::string_view text) {
  unsigned crc = 0;
  for (const char c : text) {
    crc = ((crc << 8U) & 0xFFFFU) ^ kTable[(crc >> 8U) ^ static_cast<unsigned char>(c)];
  }
  return crc;
}

constexpr std::string_view kReserved = "{}%";
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

constexpr std::size_t kEncodedSize = 3;

// The reserved character that is encoded at the front of a text; NUL where none is.
char reserved_at(std::string_view text) {
  for (const char c : kReserved) {
    std::string encoded;
    append_name(encoded, {&c, 1});
    if (text.starts_with(encoded)) return c;
  }
  return '\0';
}

constexpr std::size_t kTagSize = 4;
struct Tag {
  std::array<char, kTagSize> text{};
};
using Tags = std::array<Tag, kSlots>;

Tag tag_number(unsigned number) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  Tag tag;
  for (char& c : tag.text) {
    c = kDigits[number % kDigits.size()];
    number /= kDigits.size();
  }
  return tag;
}

// Tries one after the other until each slot has one: some 200,000 tries.
std::unique_ptr<const Tags> find_tags() {
  auto tags = std::make_unique<Tags>();
  unsigned found = 0;
  for (unsigned number = 0; found < kSlots; ++number) {
    const Tag tag = tag_number(number);
    Tag& of_slot = (*tags)[slot_of({tag.text.data(), kTagSize})];
    if (of_slot.text.front() != '\0') continue;
    of_slot = tag;
    ++found;
  }
  return tags;
}

}  // namespace

Slot slot_of(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return static_cast<Slot>(crc16(key) % kSlots);
}

void append_name(std::string& key, std::string_view name) {
  while (true) {
    const std::size_t at = name.find_first_of(kReserved);
    key += name.substr(0, at);
    if (at == std::string_view::npos) return;
    const auto byte = static_cast<unsigned char>(name[at]);
    key += {'%', kHexDigits[byte >> 4U], kHexDigits[byte & 15U]};
    name.remove_prefix(at + 1);
  }
}

std::string decode_name(std::string_view part) {
  std::string name;
  while (!part.empty()) {
    const char decoded = reserved_at(part);
    name += decoded == '\0' ? part.front() : decoded;
    part.remove_prefix(decoded == '\0' ? 1 : kEncodedSize);
  }
  return name;
}

std::string_view tag_of(Slot slot) {
  static const std::unique_ptr<const Tags> kTags = find_tags();
  return {(*kTags)[slot % kSlots].text.data(), kTagSize};
}

}  // namespace concur::engine
