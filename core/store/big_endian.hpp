#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace concur {

// The number in up to eight bytes, the highest first. They must be there.
inline std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

}  // namespace concur
