#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

// Texts looked at eight bytes at a time. The tests for a zero byte and for one below a bound are
// those of S. E. Anderson's "Bit Twiddling Hacks".
namespace concur {

inline constexpr std::uint64_t kEachByte = 0x0101'0101'0101'0101U;
inline constexpr std::uint64_t kHighBits = 0x80 * kEachByte;

// The bytewise or of `look` at all of the text, eight bytes at a time. The last eight may overlap
// those before; a text that is shorter is filled up with `filler`, of which nothing must be found.
template <class Look>
std::uint64_t found_in(std::string_view text, char filler, Look look) {
  std::uint64_t bytes = static_cast<unsigned char>(filler) * kEachByte;
  if (text.size() < sizeof bytes) {
    text.copy(reinterpret_cast<char*>(&bytes), text.size());
    return look(bytes);
  }
  const char* const last = text.data() + text.size() - sizeof bytes;
  std::uint64_t found = 0;
  for (const char* at = text.data(); at < last; at += sizeof bytes) {
    std::memcpy(&bytes, at, sizeof bytes);
    found |= look(bytes);
  }
  std::memcpy(&bytes, last, sizeof bytes);
  return found | look(bytes);
}

// Not zero where one of the bytes is `c`; where none is, zero.
constexpr std::uint64_t any_is(std::uint64_t bytes, char c) {
  const std::uint64_t x = bytes ^ (static_cast<unsigned char>(c) * kEachByte);
  return (x - kEachByte) & ~x & kHighBits;
}

// Not zero where one of the bytes is below `bound`, which is at most 0x80; where none is, zero.
constexpr std::uint64_t any_below(std::uint64_t bytes, unsigned char bound) {
  return (bytes - bound * kEachByte) & ~bytes & kHighBits;
}

}  // namespace concur
