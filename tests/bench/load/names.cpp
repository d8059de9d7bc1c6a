#include "load/names.hpp"

#include "load/random.hpp"

#include <array>
#include <cstring>

namespace concur::bench {
namespace {

constexpr std::array<char, 512> hex_pairs() {
  constexpr const char* kDigits = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = kDigits[byte >> 4U];
    pairs[2 * byte + 1] = kDigits[byte & 15U];
  }
  return pairs;
}

constexpr std::array<char, 512> kHexPairs = hex_pairs();

// Writes the `count` highest bytes of `bits` and returns the rest, shifted up.
std::uint64_t write_hex(std::uint64_t bits, int count, char*& out) {
  for (int i = 0; i < count; ++i) {
    std::memcpy(out, &kHexPairs[2 * (bits >> 56U)], 2);
    out += 2;
    bits <<= 8U;
  }
  return bits;
}

void write_decimal(std::uint64_t value, char* out, std::size_t digits) {
  for (std::size_t at = digits; at > 0; --at) {
    out[at - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

void write_user(std::uint32_t user, char* out) {
  out[0] = 'u';
  write_decimal(user, out + 1, kUserLength - 1);
}

void write_time(std::chrono::milliseconds time, char* out) {
  write_decimal(static_cast<std::uint64_t>(time.count()), out, kTimeLength);
}

SessionNames::SessionNames(std::uint64_t seed) : seed_(mix(~seed)) {}

void SessionNames::write(std::uint64_t serial, char* out) const {
  std::uint64_t high = mix(seed_ ^ serial);
  std::uint64_t low = mix(high ^ seed_);
  high = (high & ~std::uint64_t{0xf000}) | 0x4000;
  low = (low & ~(std::uint64_t{3} << 62U)) | (std::uint64_t{2} << 62U);
  high = write_hex(high, 4, out);
  *out++ = '-';
  high = write_hex(high, 2, out);
  *out++ = '-';
  write_hex(high, 2, out);
  *out++ = '-';
  low = write_hex(low, 2, out);
  *out++ = '-';
  write_hex(low, 6, out);
}

}  // namespace concur::bench
