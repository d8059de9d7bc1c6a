#pragma once

#include "session/event.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace concur {

// The last events, numbered from 1 since the daemon's start, for any number of readers, each at a
// pace of its own: a slow one costs nothing and misses what was overwritten. For the loop thread
// alone.
class EventLog {
 public:
  static constexpr std::uint64_t kMost = 65'536;

  // The numbers of the oldest event still held and of the next to come; equal where none is held.
  std::uint64_t oldest() const { return next_ > kMost ? next_ - kMost : 1; }
  std::uint64_t next() const { return next_; }

  // One that is held: oldest() <= number < next(). Valid until the next publish().
  const Event& at(std::uint64_t number) const { return ring_[(number - 1) % kMost]; }

  void publish(Event&& event);

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

  std::size_t readers() const { return readers_.size(); }
  bool wants_renewals() const { return renewal_readers_ > 0; }

  // Tells the readers that there is more, where there is.
  void wake_readers();

 private:
  void wake_readers_of(const std::string& user);

  std::vector<Event> ring_;
  std::uint64_t next_ = 1;
  std::uint64_t woken_upto_ = 1;
  std::multimap<std::string, Reader*> readers_;  // by user; those of all under the empty name
  std::size_t renewal_readers_ = 0;
};

}  // namespace concur
