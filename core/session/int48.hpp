#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>

namespace concur {

// A whole number of 48 bits in six bytes, for what there is a million of.
class Int48 {
 public:
  static constexpr std::int64_t kMax = (std::int64_t{1} << 47) - 1;

  // From -kMax to kMax: whoever takes a number in from outside checks it first.
  Int48(std::int64_t number = 0) {
    assert(number >= -kMax && number <= kMax);
    const auto low = static_cast<std::uint32_t>(number);
    const auto high = static_cast<std::int16_t>(number >> 32);
    std::memcpy(bytes_, &low, sizeof low);
    std::memcpy(bytes_ + sizeof low, &high, sizeof high);
  }

  operator std::int64_t() const {
    std::uint32_t low = 0;
    std::int16_t high = 0;
    std::memcpy(&low, bytes_, sizeof low);
    std::memcpy(&high, bytes_ + sizeof low, sizeof high);
    return std::int64_t{high} * (std::int64_t{1} << 32) + low;
  }

 private:
  char bytes_[6];
};
static_assert(sizeof(Int48) == 6);

}  // namespace concur
