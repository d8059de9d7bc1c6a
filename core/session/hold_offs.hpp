#pragma once

#include "base/clock.hpp"
#include "session/admission.hpp"
#include "session/packed_text.hpp"
#include "session/user_ref.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace concur {

// Who was evicted within the last kHoldOff, and so may not evict: sessions and their devices, by
// user, who is kept for as long. Each is known by the row id of the evicted session.
class HoldOffs {
 public:
  struct One {
    std::int64_t row = 0;
    PackedText session;
    PackedText device;
    Instant since;
  };

  // In the order of `since`. Where the user has too many, the oldest goes: its row id comes back.
  std::optional<std::int64_t> add(UserRef user, One one);

  // Drops the user's latest, if it is the one of that row.
  void remove_latest(Slot user, std::int64_t row);

  // Drops one whose time is over and returns its row id, if there is any.
  std::optional<std::int64_t> drop_over(Instant now);

  // For how long a start of the user may not evict; 0 where it may.
  Millis left(Slot user, const Applicant& start, Instant now) const;

 private:
  struct OfUser {
    UserRef user;
    std::vector<One> list;
  };
  struct Queued {
    Slot user;
    std::int64_t row;
    Instant since;
  };

  boost::unordered_flat_map<Slot, OfUser> by_user_;
  std::deque<Queued> queue_;  // oldest first; some may be gone already
};

}  // namespace concur
