#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <optional>

namespace concur {

// Lets something happen a few times in a while and counts the rest: log lines that others cause.
class Ration {
 public:
  explicit Ration(unsigned most = 10, Millis span = std::chrono::minutes(1))
      : most_(most), span_(span) {}

  // How many were held back since the last one that was let through; none where this one is held
  // back too.
  std::optional<std::uint64_t> next(Instant now) {
    if (!began_ || now - *began_ >= span_) {
      began_ = now;
      used_ = 0;
    }
    if (used_ == most_) {
      ++held_back_;
      return std::nullopt;
    }
    ++used_;
    const std::uint64_t before = held_back_;
    held_back_ = 0;
    return before;
  }

 private:
  unsigned most_;
  Millis span_;
  std::optional<Instant> began_;
  unsigned used_ = 0;
  std::uint64_t held_back_ = 0;
};

}  // namespace concur
