#pragma once

#include "base/clock.hpp"
#include "session/packed_text.hpp"
#include "session/slab.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace concur {

// Who was evicted within the last kHoldOff, and so may not evict: sessions and their devices, by
// user. For each one held here the caller holds the user in the table.
class HoldOffs {
 public:
  struct One {
    std::int64_t row = 0;  // the evicted session's
    PackedText session;
    PackedText device;
    Instant since;
  };
  struct Dropped {
    Slot user;
    std::int64_t row;
  };

  // In the order of `since`. One of the same user goes where it has too many: the oldest.
  std::optional<Dropped> add(Slot user, One one);

  // Takes the user's latest back, if it is the one of that row.
  bool take_back(Slot user, std::int64_t row);

  // Takes one out whose time is over, if there is any.
  std::optional<Dropped> drop_over(Instant now);

  // For how long a session of that name, or one on that device, may not evict; 0 where it may.
  Millis left(Slot user, std::string_view session, std::string_view device, Instant now) const;

 private:
  struct Queued {
    Slot user;
    std::int64_t row;
    Instant since;
  };

  boost::unordered_flat_map<Slot, std::vector<One>> by_user_;
  std::deque<Queued> queue_;  // oldest first; some may be gone already
};

}  // namespace concur
