#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace concur::bench {

/// Counts durations in buckets that widen with the value: at most 1.6 % of error from a nanosecond
/// to centuries, without memory that grows.
class Histogram {
 public:
  void add(std::chrono::nanoseconds duration) {
    const auto value = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
    ++counts_[bucket_of(value)];
    ++total_;
    max_ = value > max_ ? value : max_;
  }

  /// The duration that the given share (0 to 1) of all does not exceed; zero if there is none.
  [[nodiscard]] std::chrono::nanoseconds quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t at = 0; at < counts_.size(); ++at) {
      seen += counts_[at];
      if (seen > wanted) {
        return std::chrono::nanoseconds(top_of(at) < max_ ? top_of(at) : max_);
      }
    }
    return max();
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::chrono::nanoseconds max() const { return std::chrono::nanoseconds(max_); }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr std::uint64_t kSteps = std::uint64_t{1} << kBits;

  // Below 2 * kSteps the bucket is the value; above, its highest kBits + 1 bits and their place.
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSteps) {
      return value;
    }
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (shift << kBits) + (value >> shift);
  }

  static std::uint64_t top_of(std::size_t bucket) {
    if (bucket < 2 * kSteps) {
      return bucket;
    }
    const unsigned shift = static_cast<unsigned>(bucket >> kBits) - 1;
    const std::uint64_t step = bucket - (std::uint64_t{shift} << kBits);
    return ((step + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kSteps> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace concur::bench
