#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "service/counts.hpp"
#include "service/rate_meter.hpp"
#include "service/service.hpp"
#include "session/answer.hpp"
#include "session/command.hpp"
#include "session/event.hpp"

#include <chrono>
#include <cstdint>

namespace concur {

CommandKind kind_of(const Command& command);

// Counts what the service does, where it happens. Cheap: a few additions each. For the loop thread
// alone.
class Meters {
 public:
  void answered(CommandKind kind, const Answer& answer, Instant now);
  void failed(CommandKind kind);
  void took(CommandKind kind, std::chrono::nanoseconds time) {
    counts_.durations[static_cast<std::size_t>(kind)].add(time.count());
  }
  void published(EventKind kind, Instant now);
  void committed(bool worked, std::chrono::nanoseconds time, std::size_t changes);

  // Fills in the part of the status that is counted here.
  void tell(ServiceStatus& status, Instant now) const;

 private:
  void granted(CommandKind kind, const Granted& granted, Instant now);

  Counts counts_;
  RateMeter starts_;
  RateMeter denials_;
  RateMeter heartbeats_;
  RateMeter ends_;
  RateMeter evictions_;
  RateMeter expiries_;
};

}  // namespace concur
