#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace concur {

inline constexpr std::uint32_t kUnlimited = 0;
inline constexpr std::uint32_t kMaxLimit = 1'000'000'000;

// What happens to a start that would go over the limit.
enum class OnLimit : std::uint8_t { kDeny, kEvictOldest, kEvictNewest };

// As users write it: deny, evict-oldest, evict-newest.
std::string_view word_of(OnLimit on_limit);
std::optional<OnLimit> on_limit_of(std::string_view word);

}  // namespace concur
