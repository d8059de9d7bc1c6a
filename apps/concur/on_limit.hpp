#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace concur::cli {

// What a start does where the limit is reached.
enum class OnLimit : std::uint8_t { kDeny, kEvictOldest, kEvictNewest };

// As users and the daemon write it.
inline constexpr std::array<std::pair<std::string_view, OnLimit>, 3> kOnLimitWords{
    {{"deny", OnLimit::kDeny},
     {"evict-oldest", OnLimit::kEvictOldest},
     {"evict-newest", OnLimit::kEvictNewest}}};

constexpr std::string_view word_of(OnLimit on_limit) {
  for (const auto& [word, value] : kOnLimitWords) {
    if (value == on_limit) return word;
  }
  return {};
}

constexpr std::optional<OnLimit> on_limit_of(std::string_view text) {
  for (const auto& [word, value] : kOnLimitWords) {
    if (text == word) return value;
  }
  return std::nullopt;
}

}  // namespace concur::cli
