#pragma once

#include "base/clock.hpp"

namespace concur::engine {

// Whether changes wait for a replica. Where none has answered twice running, to wait would cost
// each change its patience and hold up what follows: then one trial a second says when there is
// one.
class WaitRation {
 public:
  static constexpr unsigned kMaxShortfalls = 2;
  static constexpr Millis kPause{1000};

  bool wants_wait(Instant now) const { return shortfalls_ < kMaxShortfalls || now >= next_trial_; }
  void on_wait(Instant now) { next_trial_ = now + kPause; }
  void on_enough() { shortfalls_ = 0; }
  void on_shortfall() {
    if (shortfalls_ < kMaxShortfalls) ++shortfalls_;
  }
  bool is_short() const { return shortfalls_ == kMaxShortfalls; }

 private:
  unsigned shortfalls_ = 0;  // running
  Instant next_trial_{};
};

}  // namespace concur::engine
