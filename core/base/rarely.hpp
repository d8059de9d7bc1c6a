#pragma once

#include "base/clock.hpp"

#include <optional>

namespace concur {

// Lets something happen at most once in a while: a warning that would fill the log.
class Rarely {
 public:
  explicit Rarely(Millis pause = std::chrono::minutes(1)) : pause_(pause) {}

  // True if it may happen now; then not again before the pause is over.
  bool due(Instant now) {
    if (last_ && now - *last_ < pause_) return false;
    last_ = now;
    return true;
  }

 private:
  Millis pause_;
  std::optional<Instant> last_;
};

}  // namespace concur
