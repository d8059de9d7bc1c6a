#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace concur {

// Values that leave in the order in which they were added, and are reached by a number that stays
// theirs meanwhile: answers, for instance, that are to be given in the order of the questions,
// though they become ready in any.
template <class T>
class InOrder {
 public:
  using Number = std::uint64_t;

  // An empty one.
  Number add() {
    values_.emplace_back();
    return first_ + values_.size() - 1;
  }

  // One that was added and has not left; valid until it does.
  T& operator[](Number number) { return values_[static_cast<std::size_t>(number - first_)]; }

  // The number of the next to leave, which may not have been added yet.
  Number first() const { return first_; }

  bool empty() const { return values_.empty(); }
  std::size_t size() const { return values_.size(); }
  T& front() { return values_.front(); }
  const T& front() const { return values_.front(); }
  T& back() { return values_.back(); }
  const T& back() const { return values_.back(); }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }

  void pop_front() {
    values_.pop_front();
    ++first_;
  }

 private:
  std::deque<T> values_;
  Number first_ = 0;
};

}  // namespace concur
