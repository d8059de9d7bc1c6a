#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace concur {

inline constexpr Millis kMaxDuration{100LL * 366 * 86'400'000};  // a hundred years

// Reads `90`, `90s`, `5m`, `2h`, `7d` and, for time limits below a second, `500ms`: a whole number
// that is not negative and a unit, seconds where none is given, without spaces. kInvalid for
// anything else, and in other words for more than kMaxDuration.
Result<Millis> parse_duration(std::string_view text);

// The shortest of those forms that parse_duration reads back to the same value.
std::string format_duration(Millis value);

}  // namespace concur
