#pragma once

#include <chrono>
#include <cstdint>

namespace concur::bench {

using Clock = std::chrono::steady_clock;

struct Pace {
  /// Requests after which to stop; 0 for no such bound.
  std::uint64_t requests = 0;
  /// Time after which to stop; zero for no such bound.
  std::chrono::nanoseconds duration{};
  /// Requests a second, whether or not answers come (an open loop); 0 for one request as soon as
  /// the one before is answered.
  double rate = 0;
};

/// Says when the next request is to be sent, and when it was meant to be sent.
class Pacer {
 public:
  explicit Pacer(const Pace& pace) : pace_(pace) {}

  void begin(Clock::time_point now) { begin_ = now; }

  [[nodiscard]] bool open_loop() const { return pace_.rate > 0; }

  /// No more requests will be sent.
  [[nodiscard]] bool finished(Clock::time_point now) const {
    return (pace_.requests > 0 && sent_ >= pace_.requests) ||
           (pace_.duration.count() > 0 && now - begin_ >= pace_.duration);
  }

  [[nodiscard]] bool may_send(Clock::time_point now) const {
    return !finished(now) && (!open_loop() || next_due() <= now);
  }

  /// In an open loop, the moment at which the next request is due.
  [[nodiscard]] Clock::time_point next_due() const {
    return begin_ + std::chrono::nanoseconds(
                        static_cast<std::int64_t>(static_cast<double>(sent_) * 1e9 / pace_.rate));
  }

  /// Counts one request and returns the moment its latency counts from. In an open loop that is the
  /// moment it was due: a server that stalls makes all who wait behind it late, and it shows.
  Clock::time_point send(Clock::time_point now) {
    const Clock::time_point from = open_loop() ? next_due() : now;
    ++sent_;
    return from;
  }

 private:
  Pace pace_;
  Clock::time_point begin_;
  std::uint64_t sent_ = 0;
};

}  // namespace concur::bench
