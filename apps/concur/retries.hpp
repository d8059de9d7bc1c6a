#pragma once

#include "base/clock.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace concur::cli {

// When to try again what fails, and when to give it up.
class Retries {
 public:
  static constexpr Millis kFirstPause{1000};
  static constexpr Millis kMaxPause{5 * 60 * 1000};
  static constexpr Millis kPatience{24 * 60 * 60 * 1000};

  // It failed. The time of the next try; nothing once it has failed for as long as the patience.
  std::optional<Instant> fail(Instant now) {
    if (!since_) since_ = now;
    if (now - *since_ >= kPatience) return std::nullopt;
    const Millis pause = std::exchange(pause_, std::min(pause_ * 2, kMaxPause));
    return std::min(now + pause, *since_ + kPatience);
  }

 private:
  std::optional<Instant> since_;  // the first failure
  Millis pause_ = kFirstPause;
};

}  // namespace concur::cli
