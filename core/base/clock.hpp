#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace concur {

using Millis = std::chrono::milliseconds;

// CLOCK_BOOTTIME: never set, never goes back, counts suspend. Leases run on it (clock_gettime(2)).
struct BootClock {
  using duration = Millis;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock, duration>;
  static constexpr bool is_steady = true;
};

using Instant = BootClock::time_point;
using WallTime = std::chrono::sys_time<Millis>;

// One reading of both clocks. Decisions use the instant; the wall clock only names instants to
// people and to rows.
struct Now {
  Instant instant;
  std::chrono::nanoseconds wall_offset{};  // wall clock minus boot clock
  Millis asleep{};  // how long the machine has been suspended since its boot, in all
  std::chrono::nanoseconds since_boot{};  // the instant, exactly: for measuring

  // Whole milliseconds, so that wall minus offset gives an instant back exactly.
  Millis offset() const { return std::chrono::floor<Millis>(wall_offset); }
  WallTime to_wall(Instant at) const { return WallTime(at.time_since_epoch() + offset()); }
  WallTime wall() const { return to_wall(instant); }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;
  // The end of what began at Now::since_boot: one reading instead of three.
  virtual std::chrono::nanoseconds since_boot() const = 0;
};

class SystemClock final : public Clock {
 public:
  Now now() const override;
  std::chrono::nanoseconds since_boot() const override;
};

// Names this boot of this machine; the boot clock's readings compare only within one (random(4),
// boot_id). Empty where the system does not say: then no two runs count as the same boot.
std::string boot_id();

// RFC 3339 in UTC with milliseconds: 2026-11-23T16:00:00.000Z. Years outside 0000 to 9999 are
// clamped to that range.
std::string format_utc(WallTime at);

// The same into a place that has room for as many bytes.
inline constexpr std::size_t kUtcSize = 24;
void put_utc(char* to, WallTime at);

}  // namespace concur
