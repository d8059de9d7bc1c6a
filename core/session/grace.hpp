#pragma once

#include "base/clock.hpp"
#include "session/table.hpp"

#include <vector>

namespace concur {

// What active sessions get after a suspend, when nobody could give a sign of life: at least a
// heartbeat interval from the waking on. Each gets it when somebody looks at it, before anything is
// judged by its lease, so that waking takes no longer for a million sessions than for one. To give
// it twice is to give it once.
class Grace {
 public:
  // The machine slept until `now`. Of slots at `end` and behind nobody was there.
  void begin(Millis slept, Instant now, Slot end);

  // Whether there may be sessions that have not got it.
  bool pending() const { return left_ > 0; }

  void give(SessionSlot& session) const;

  // Somebody who looks at all slots, round and round, has given it to this one. After a whole round
  // nothing is pending.
  void looked_at(Slot slot);

 private:
  struct Suspend {
    Instant began;
    Instant ended;
  };

  std::vector<Suspend> suspends_;  // in order
  Slot end_ = 0;
  Slot left_ = 0;  // of the slots before end_, to look at; 0 where nothing is pending
};

}  // namespace concur
