#pragma once

#include "base/clock.hpp"

#include <cstdint>

namespace concur::test {

// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  Now now() const override {
    Now now = now_;
    now.since_boot = since_boot();
    return now;
  }
  std::chrono::nanoseconds since_boot() const override { return now_.instant.time_since_epoch(); }
  void tick(Millis by) { now_.instant += by; }
  // The machine is suspended: time passes, and nobody is awake to see it.
  void sleep(Millis by) {
    now_.instant += by;
    now_.asleep += by;
  }
  void set_wall(WallTime to) {
    now_.wall_offset = to.time_since_epoch() - now_.instant.time_since_epoch();
  }

 private:
  // An hour after boot, at 2026-11-23T16:00:00Z.
  Now now_{Instant(std::chrono::hours(1)), Millis(1'795'449'600'000 - 3'600'000), Millis(0)};
};

}  // namespace concur::test
