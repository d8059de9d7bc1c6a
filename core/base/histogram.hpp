#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace concur {

// Counts values in buckets: one for each bound, up to it inclusive, and one for what lies beyond
// them all. A value costs a few comparisons and three additions. For one thread.
class Histogram {
 public:
  static constexpr std::size_t kMostBounds = 16;

  // The bounds ascend and are of static storage.
  explicit Histogram(std::span<const std::int64_t> bounds) : bounds_(bounds) {
    assert(bounds.size() <= kMostBounds);
    assert(std::ranges::is_sorted(bounds));
  }

  // What is below zero counts as zero: a clock was moved.
  void add(std::int64_t value) {
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    ++buckets_[bucket];
    ++count_;
    sum_ += static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
  }

  std::span<const std::int64_t> bounds() const { return bounds_; }
  // Of the bucket below bounds()[bucket]; behind the last, of what lies beyond.
  std::uint64_t in_bucket(std::size_t bucket) const { return buckets_[bucket]; }
  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }

 private:
  std::span<const std::int64_t> bounds_;
  std::array<std::uint64_t, kMostBounds + 1> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace concur
