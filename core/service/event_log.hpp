#pragma once

#include "base/clock.hpp"
#include "service/rate_meter.hpp"
#include "session/event.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace concur {

// Sessions that were let in above the limit for a while, and what became of them then.
struct OverlapCounts {
  std::uint64_t let_in = 0;
  std::uint64_t stayed = 0;
  std::uint64_t denied = 0;
};

// What was published since the start.
struct EventFigures {
  std::string boot;             // in which all of it was
  std::uint64_t published = 0;  // so many events, and the number of the last
  std::size_t readers = 0;
  Rate evictions;  // reconnects from the same device among them
  Rate expiries;
  std::uint64_t purged = 0;  // sessions
  OverlapCounts overlaps{};
};

// What happened, whichever service says so: the last events, numbered from 1 since the daemon's
// start, for any number of readers, each at a pace of its own. A slow one costs nothing and misses
// what was overwritten. For the loop thread alone.
class EventLog {
 public:
  static constexpr std::uint64_t kMaxHeld = 65'536;

  // `wake_later` arranges that wake_readers() is called in a later turn of the loop. It is asked to
  // once there is something for readers, and not again before that call.
  explicit EventLog(
      std::function<void()> wake_later = [] {}, std::string boot = random_boot())
      : boot_(std::move(boot)), wake_later_(std::move(wake_later)) {}
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Names this life of the daemon: the numbers of events count within one. Never empty.
  const std::string& boot() const { return boot_; }

  // The numbers of the oldest event still held and of the next to come; equal where none is held.
  std::uint64_t oldest() const { return next_ > kMaxHeld ? next_ - kMaxHeld : 1; }
  std::uint64_t next() const { return next_; }

  // One that is held: oldest() <= number < next(). Valid until the next publish().
  const Event& at(std::uint64_t number) const { return ring_[(number - 1) % kMaxHeld]; }

  void publish(Event&& event, Instant now);

  // Called with each event as it is published: it takes note, and no more. None by default.
  void set_listener(std::function<void(const Event&)> listener) { listener_ = std::move(listener); }

  // In a fleet: the label of this box, by which readers tell its events from other boxes'.
  void set_box(std::string label) { box_ = std::move(label); }
  // Empty where this is no box of a fleet.
  const std::string& box() const { return box_; }

  // Somebody who reads, what concerns one user or, with an empty name, all. `on_more` is called
  // once there is more of that than at the call before, and now and then besides, so that a reader
  // whom nothing concerns is not overtaken; it takes note and no more, for it must not make or end
  // a reader. Renewals are published only while a reader wants them.
  class Reader {
   public:
    Reader(EventLog& log, std::string user, bool wants_renewals, std::function<void()> on_more);
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader();

   private:
    friend class EventLog;
    EventLog& log_;
    bool wants_renewals_;
    std::function<void()> on_more_;
    std::multimap<std::string, Reader*>::iterator place_;
  };

  bool wants_renewals() const { return renewal_readers_ > 0; }

  // Calls `on_more` of the readers for whom there is more.
  void wake_readers();

  EventFigures figures(Instant now) const;

 private:
  static std::string random_boot();
  void count(const Event& event, Instant now);
  void wake_readers_of(const std::string& user);

  std::string boot_;
  std::string box_;
  std::vector<Event> ring_;
  std::uint64_t next_ = 1;
  std::uint64_t woken_upto_ = 1;
  std::function<void()> wake_later_;
  std::function<void(const Event&)> listener_;
  bool waking_ = false;                          // that was asked for
  std::multimap<std::string, Reader*> readers_;  // by user; those of all under the empty name
  std::size_t renewal_readers_ = 0;
  RateMeter evictions_;
  RateMeter expiries_;
  std::uint64_t purged_ = 0;
  OverlapCounts overlaps_;
};

}  // namespace concur
