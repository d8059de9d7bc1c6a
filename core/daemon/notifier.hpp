#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// Reports to the service manager how the daemon is, by sd_notify(3)'s protocol: a datagram to the
// socket that NOTIFY_SOCKET names. Does nothing where there is none, does not mind where nobody
// listens, and waits for a manager that is slow to listen no longer than a second.
class Notifier {
 public:
  // `self` is this process: a watchdog that was meant for another is none of ours.
  Notifier(const Environment& environment, pid_t self);

  void ready();      // clients are answered from now on
  void reloading();  // until ready() is said again
  void stopping();
  void alive();  // feeds the watchdog

  // The start is under way and makes progress: do not give it up yet. Sent at most once a second,
  // however often it is called.
  void needs_time();

  // How long alive() may stay away before the daemon counts as hung; none where nobody watches.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void say(std::string_view text, int flags = 0) const;

  Fd fd_;  // connected; none where nobody listens
  std::optional<std::chrono::microseconds> watchdog_;
  std::chrono::steady_clock::time_point next_plea_;
};

}  // namespace concur
