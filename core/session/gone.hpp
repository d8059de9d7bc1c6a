#pragma once

#include "base/clock.hpp"
#include "session/int48.hpp"
#include "session/slab.hpp"

#include <cstddef>
#include <deque>
#include <vector>

namespace concur {

// For how long, at least, it is remembered why a session is no longer active.
inline constexpr Millis kRememberGone = std::chrono::minutes(10);

// Which sessions are remembered as gone: each by its slot, and by a number that tells it from
// whoever has that slot later. Numbers ascend in the order they went, and start at 1.
class GoneQueue {
 public:
  struct One {
    Slot slot = kNoSlot;
    Int48 number;
  };

  void add(One one) { queue_.push_back(one); }
  // The same, of one that is to be remembered for longer than the others: until then.
  void add_until(One one, Instant until);

  // The one that went first of those that are not kept for longer; null where there is none.
  const One* first() const { return queue_.empty() ? nullptr : &queue_.front(); }
  void pop_first() { queue_.pop_front(); }

  // Of those that are, the one whose time is over first.
  const One* first_kept() const { return kept_.empty() ? nullptr : &kept_.front().one; }
  void pop_first_kept();

  std::size_t size() const { return queue_.size() + kept_.size(); }

 private:
  struct Kept {
    Instant until;
    One one;
  };
  static bool is_later(const Kept& a, const Kept& b) { return a.until > b.until; }

  std::deque<One> queue_;
  std::vector<Kept> kept_;  // a heap
};

// Numbers of gone sessions, both inclusive.
struct GoneRange {
  Int48 first;
  Int48 last;
};

}  // namespace concur
