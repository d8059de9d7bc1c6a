#pragma once

#include "session/change.hpp"
#include "session/state.hpp"
#include "session/undo.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace concur {

// What was decided and is not known to be durable: the changes for the store, and what rolls each
// of them back. The state that they are about must outlive it.
class ChangeLog {
 public:
  // Returns the number of the change.
  template <class OfUndo, class OfChange>
  Sequence add(OfUndo&& undo, OfChange&& change) {
    undos_.emplace_back(std::forward<OfUndo>(undo));
    changes_.emplace_back(std::forward<OfChange>(change));
    return last();
  }

  // The same, for what waits for all that was decided about that user; kNoSlot: about nobody.
  template <class OfUndo, class OfChange>
  void add(State& state, Slot user, OfUndo&& undo, OfChange&& change) {
    const Sequence number = add(std::forward<OfUndo>(undo), std::forward<OfChange>(change));
    if (user != kNoSlot) state.user(user).last_change = static_cast<std::int64_t>(number);
  }

  // The changes since the last call, in order; `untaken` says how many those are. Of all changes
  // the last one is numbered last().
  std::vector<Change> take();
  std::size_t untaken() const { return changes_.size(); }
  Sequence last() const { return durable_ + undos_.size(); }

  // All changes up to this one are stored; durable() is the last such.
  void confirm(Sequence upto, State& state);
  Sequence durable() const { return durable_; }
  bool all_durable() const { return undos_.empty(); }

  // No change after durable() is stored: takes them all back, the latest first, those not taken yet
  // included. Their numbers are not used again.
  void roll_back(State& state);

 private:
  std::vector<Change> changes_;
  std::deque<Undo> undos_;  // one for each change after durable_
  Sequence durable_ = 0;
};

}  // namespace concur
