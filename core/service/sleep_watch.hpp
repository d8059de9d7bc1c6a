#pragma once

#include "base/clock.hpp"

namespace concur {

// Notices that the machine was suspended, which nobody who gives signs of life can help.
class SleepWatch {
 public:
  // How much later the clock of a machine that was awake may look: it is known only roughly.
  static constexpr Millis kMinSleep = std::chrono::seconds(1);

  explicit SleepWatch(const Now& now) : asleep_(now.asleep) {}

  // How long it was suspended since the last call; zero where it was not.
  Millis slept(const Now& now) {
    const Millis slept = now.asleep - asleep_;
    if (slept < kMinSleep) return Millis(0);
    asleep_ = now.asleep;
    return slept;
  }

 private:
  Millis asleep_;  // in all, when that was last looked at
};

}  // namespace concur
