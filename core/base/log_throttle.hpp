#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <optional>

namespace concur {

// Lets a few log lines through in a span of time and counts the rest, for lines that others cause.
class LogThrottle {
 public:
  explicit LogThrottle(unsigned max_lines = 10, Millis span = std::chrono::minutes(1))
      : max_lines_(max_lines), span_(span) {}

  // How many lines were suppressed since the last one that was let through; none where this one is
  // suppressed too.
  std::optional<std::uint64_t> next(Instant now) {
    if (!began_ || now - *began_ >= span_) {
      began_ = now;
      used_ = 0;
    }
    if (used_ == max_lines_) {
      ++suppressed_;
      return std::nullopt;
    }
    ++used_;
    const std::uint64_t before = suppressed_;
    suppressed_ = 0;
    return before;
  }

  // How many lines are suppressed, of which no further line of the span can tell; 0 while one may.
  std::uint64_t take_left_over(Instant now) {
    if (suppressed_ == 0 || now - *began_ < span_) return 0;
    const std::uint64_t left_over = suppressed_;
    suppressed_ = 0;
    return left_over;
  }

 private:
  unsigned max_lines_;
  Millis span_;
  std::optional<Instant> began_;
  unsigned used_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace concur
