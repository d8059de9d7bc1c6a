#include "session/change_log.hpp"

#include <cassert>
#include <memory>

namespace concur {

namespace {

template <class T>
T& plain(T& undo) {
  return undo;
}
template <class T>
T& plain(std::unique_ptr<T>& undo) {
  return *undo;
}

}  // namespace

// As many are likely to follow.
std::vector<Change> ChangeLog::take() {
  std::vector<Change> taken;
  taken.reserve(changes_.size());
  taken.swap(changes_);
  return taken;
}

void ChangeLog::confirm(Sequence upto, State& state) {
  assert(upto <= last());
  for (; durable_ < upto; ++durable_) {
    std::visit([&state](auto& undo) { plain(undo).on_durable(state); }, undos_.front());
    undos_.pop_front();
  }
}

void ChangeLog::roll_back(State& state) {
  const Sequence last = this->last();
  for (; !undos_.empty(); undos_.pop_back()) {
    std::visit([&state](auto& undo) { plain(undo).roll_back(state); }, undos_.back());
  }
  changes_.clear();
  durable_ = last;
}

}  // namespace concur
