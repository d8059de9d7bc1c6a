#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

// Texts looked at eight bytes at a time. The tests for a zero byte and for one below a bound are
// those of S. E. Anderson's "Bit Twiddling Hacks".
namespace concur {

inline constexpr std::uint64_t kEachByte = 0x0101'0101'0101'0101U;
inline constexpr std::uint64_t kHighBits = 0x80 * kEachByte;

// The bytes of `text` from `at` on; where fewer than eight are left, `filler` stands for the rest.
inline std::uint64_t eight_bytes(std::string_view text, std::size_t at, char filler) {
  std::uint64_t bytes = static_cast<unsigned char>(filler) * kEachByte;
  const std::size_t left = text.size() - at;
  if (left >= sizeof bytes) {
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
  } else {
    std::memcpy(&bytes, text.data() + at, left);
  }
  return bytes;
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
