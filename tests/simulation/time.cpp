#include "time.hpp"

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

namespace concur::simulation {

namespace {

// Far ahead of the kernel's: what waits for a moment of it waits until it is woken.
std::atomic<std::int64_t> steady_ms{1'000'000'000'000};

constexpr Millis kFirstBoot = std::chrono::hours(1);

}  // namespace

// At 2026-11-23T16:00:00Z, an hour after the boot.
WorldClock::WorldClock()
    : now_{Instant(kFirstBoot), Millis(1'795'449'600'000) - kFirstBoot, Millis(0), {}} {}

Now WorldClock::now() const {
  Now now = now_;
  now.since_boot = since_boot();
  return now;
}

void WorldClock::tick(Millis by) {
  now_.instant += by;
  steady_ms += by.count();
}

void WorldClock::sleep(Millis by) {
  now_.instant += by;
  now_.asleep += by;
}

void WorldClock::reboot(Millis off) {
  const Millis wall =
      now_.instant.time_since_epoch() + std::chrono::floor<Millis>(now_.wall_offset) + off;
  constexpr Millis kBoot = std::chrono::seconds(20);
  now_ = {Instant(kBoot), wall - kBoot, Millis(0), {}};
  steady_ms += off.count();
}

std::int64_t steady_now_ms() { return steady_ms; }

}  // namespace concur::simulation

// In place of the C library's, for all of this program.
extern "C" int clock_gettime(clockid_t id, timespec* at) noexcept {
  if (id != CLOCK_MONOTONIC) return static_cast<int>(syscall(SYS_clock_gettime, id, at));
  const std::int64_t now = concur::simulation::steady_now_ms();
  at->tv_sec = now / 1000;
  at->tv_nsec = now % 1000 * 1'000'000;
  return 0;
}

// The loop's timers would be the kernel's otherwise.
extern "C" int timerfd_create(int /*clock*/, int /*flags*/) noexcept {
  errno = ENOSYS;
  return -1;
}
