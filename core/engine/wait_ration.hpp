#pragma once

#include "base/clock.hpp"

#include <algorithm>

namespace concur::engine {

// Whether changes wait for a replica. Where none has answered twice running, to wait would cost
// each change its patience and hold up what follows: then a trial now and then says when there is
// one. At most one a second, and trials take a tenth of the time.
class WaitRation {
 public:
  static constexpr unsigned kMaxShortfalls = 2;

  // `wait`: what one in vain takes.
  explicit WaitRation(Millis wait) : pause_(std::max(Millis(1000), 10 * wait)) {}

  bool wants_wait(Instant now) const { return shortfalls_ < kMaxShortfalls || now >= next_trial_; }
  void on_wait(Instant now) { next_trial_ = now + pause_; }
  void on_enough() { shortfalls_ = 0; }
  void on_shortfall() {
    if (shortfalls_ < kMaxShortfalls) ++shortfalls_;
  }
  bool is_short() const { return shortfalls_ == kMaxShortfalls; }

 private:
  Millis pause_;
  unsigned shortfalls_ = 0;  // running
  Instant next_trial_{};
};

}  // namespace concur::engine
