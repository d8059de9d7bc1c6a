#pragma once

#include "at_most.hpp"
#include "child.hpp"
#include "command.hpp"
#include "event_feed.hpp"
#include "retries.hpp"
#include "signals.hpp"

#include <cstddef>
#include <deque>
#include <optional>

namespace concur::cli {

// Hands events to a command, one run at a time, in their order: each until the command has exited
// with 0, or for as long as Retries has patience.
class EventRunner {
 public:
  // What waits may take so much memory; beyond it no more is to be read. A few are always held.
  static constexpr std::size_t kMaxWaiting = std::size_t{16} * 1024 * 1024;

  // All is done up to `from`. Both must outlive it.
  EventRunner(const Exec& exec, const Signals& signals, EventMark from);

  // What was read: of it, the command gets what it is there for.
  void push(SeenEvent event);
  bool full() const { return waiting_ > kMaxWaiting; }

  // Runs the command for the next event, where it does not run and it is time to.
  void run_next(Instant now);

  // After SIGCHLD: what came of the command, where it has ended.
  void reap(Instant now);

  bool running() const { return child_.has_value(); }

  // When to call run_next() again; none where something else must happen first.
  std::optional<Instant> due() const;

  // Up to it all is done.
  const EventMark& done() const { return queue_.empty() ? read_ : done_; }

  // From now on nothing fails: what the command did not end well is left for another time.
  void stop() { stopping_ = true; }
  void kill() const { child_->send_to_all(SIGKILL); }

 private:
  bool wanted(const SeenEvent& event) const;
  void fail(std::string_view cause, Instant now);
  void pop();

  const Exec& exec_;
  const Signals& signals_;
  std::optional<AtMost> at_most_;
  std::deque<SeenEvent> queue_;
  std::size_t waiting_ = 0;     // bytes of the queue
  EventMark done_;              // the last one of which nothing is to be done
  EventMark read_;              // the last one that was pushed
  std::optional<Child> child_;  // it has the first of the queue
  bool tried_ = false;          // the first of the queue
  Retries retries_;             // of that
  std::optional<Instant> retry_at_;
  bool stopping_ = false;
};

}  // namespace concur::cli
