#pragma once

#include "base/clock.hpp"
#include "service/command_kind.hpp"
#include "service/counts.hpp"
#include "service/rate_meter.hpp"
#include "service/service.hpp"

#include <chrono>
#include <utility>

namespace concur {

// What the meter has counted.
struct CommandFigures {
  CommandCounts counts;
  Rate starts;  // allowed ones, renewals not counted
  Rate denials;
  Rate heartbeats;  // allowed ones, renewals by start among them
  Rate ends;
};

// Hands commands to a service, whichever it is, and counts what comes of them: a few additions and
// a look at the clock each. For the loop thread alone.
class CommandMeter {
 public:
  // Both must outlive it, and it the last answer.
  CommandMeter(Service& service, const Clock& clock) : service_(service), clock_(clock) {}
  CommandMeter(const CommandMeter&) = delete;
  CommandMeter& operator=(const CommandMeter&) = delete;

  // As Service::submit(): `reply` is given the answer once. What it holds is kept in place, without
  // a further allocation, or this does not compile.
  template <class Reply>
  void submit(const Command& command, Reply reply) {
    const Now now = clock_.now();
    service_.submit(command, now, counted(kind_of(command), now, std::move(reply)));
  }

  // As Service::submit_waiting(), the same way.
  template <class Reply>
  Service::Place submit_waiting(const Start& start, Millis wait, Reply reply) {
    const Now now = clock_.now();
    return service_.submit_waiting(start, wait, now,
                                   counted(CommandKind::kStart, now, std::move(reply)));
  }

  CommandFigures figures(Instant now) const;

 private:
  template <class Reply>
  auto counted(CommandKind kind, const Now& now, Reply reply) {
    auto counts = [this, since = now.since_boot, kind,
                   reply = std::move(reply)](Result<Answer>&& answer) {
      reply(std::as_const(answer));
      count(kind, since, answer);
    };
    static_assert(Service::Reply::keeps_in_place<decltype(counts)>());
    return counts;
  }

  void count(CommandKind kind, std::chrono::nanoseconds since, const Result<Answer>& answer);
  void answered(CommandKind kind, const Answer& answer, Instant now);
  void granted(CommandKind kind, const Granted& granted, Instant now);
  void count_rule(const std::vector<Broken>& broken);
  void failed(CommandKind kind);

  Service& service_;
  const Clock& clock_;
  CommandCounts counts_;
  RateMeter starts_;
  RateMeter denials_;
  RateMeter heartbeats_;
  RateMeter ends_;
};

}  // namespace concur
