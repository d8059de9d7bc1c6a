#pragma once

#include "session/change.hpp"
#include "session/event.hpp"

#include <cstddef>
#include <deque>
#include <utility>

namespace concur {

// Events in the order they happened, each until the change that it reports is durable.
class Outbox {
 public:
  // What needs no change goes on while a commit hangs; of that no more is kept than can be read.
  static constexpr std::size_t kMaxTransient = 65'536;

  // False where an event that reports no change finds no place.
  bool has_room() const { return waiting_.size() < kMaxTransient; }

  // It leaves when all changes up to `waits_for` are durable, and those before it left.
  void add(Event&& event, Sequence waits_for) { waiting_.push_back({std::move(event), waits_for}); }

  // Gives those that may leave to `take`, in order, all changes up to `durable` being so.
  template <class Take>
  void take(Sequence durable, const Take& take) {
    for (; has(durable); waiting_.pop_front()) take(std::move(waiting_.front().event));
  }
  bool has(Sequence durable) const {
    return !waiting_.empty() && waiting_.front().waits_for <= durable;
  }

  // The changes after `durable` did not happen, and neither did what reports them.
  void drop_after(Sequence durable) {
    std::erase_if(waiting_, [durable](const Waiting& each) { return each.waits_for > durable; });
  }

 private:
  struct Waiting {
    Event event;
    Sequence waits_for;
  };

  std::deque<Waiting> waiting_;
};

}  // namespace concur
