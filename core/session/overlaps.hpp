#pragma once

#include "session/session.hpp"
#include "session/user_ref.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <functional>
#include <optional>
#include <queue>
#include <vector>

namespace concur {

// Which active sessions were let in above the limit for a while, and which users may not have
// another such one for now, because one was refused when its time was over. Few have either.
class Overlaps {
 public:
  // Whether there is no such session.
  bool empty() const { return overlaps_.empty(); }
  // Null where the session is none.
  const Overlap* find(Slot session) const;

  // From now until then.
  void begin(Slot session, const Overlap& overlap, Instant ends);
  void end(Slot session) { overlaps_.erase(session); }

  // A session whose time is over by then, once for each begin(); some may have ended since, or have
  // become others.
  std::optional<Slot> take_due(Instant now);

  // None is let in so before that moment, or a later one that holds already, for moments come from
  // several clocks; the user is kept for as long.
  void refuse(UserRef user, Instant until);
  void forget_refusal(Slot user) { refusals_.erase(user); }
  // Until when, where that is later than now.
  std::optional<Instant> refused_until(Slot user, Instant now) const;
  // Forgets one that is over; false where there is none.
  bool drop_over(Instant now);

  // Of all users.
  void clear();

 private:
  struct Refusal {
    UserRef user;
    Instant until;
  };
  struct Queued {
    Instant at;
    Slot slot;  // of a session, or of a user
    bool operator>(const Queued& other) const { return at > other.at; }
  };
  using Queue = std::priority_queue<Queued, std::vector<Queued>, std::greater<>>;

  boost::unordered_flat_map<Slot, Overlap> overlaps_;
  Queue ends_;
  boost::unordered_flat_map<Slot, Refusal> refusals_;  // by user
  Queue refusals_end_;  // some may be gone already, or have become others
};

}  // namespace concur
