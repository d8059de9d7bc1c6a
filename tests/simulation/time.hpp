#pragma once

#include "base/clock.hpp"

#include <cstdint>

namespace concur::simulation {

// The clocks of a machine that the simulation moves. One in a process: std::chrono::steady_clock,
// and with it every timer of the loop, follows it too, but for suspends, as CLOCK_MONOTONIC does.
class WorldClock final : public Clock {
 public:
  WorldClock();

  Now now() const override;
  std::chrono::nanoseconds since_boot() const override { return now_.instant.time_since_epoch(); }

  void tick(Millis by);
  // The machine is suspended: time passes, and nobody is awake to see it.
  void sleep(Millis by);
  // The wall clock is set, forward or back.
  void set_wall(Millis by) { now_.wall_offset += by; }
  // The machine was off for a while. The wall clock went on.
  void reboot(Millis off);

 private:
  Now now_;
};

// Of all worlds of this process; never goes back.
std::int64_t steady_now_ms();

}  // namespace concur::simulation
