#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstdint>

namespace concur {

// Counts events and how many came in the last minute, a bucket a second.
class RateMeter {
 public:
  void add(Instant now) {
    ++total_;
    Bucket& bucket = buckets_[index(second(now))];
    if (bucket.second != second(now)) bucket = {second(now), 0};
    ++bucket.count;
  }

  std::uint64_t total() const { return total_; }

  double per_second(Instant now) const {
    std::uint64_t sum = 0;
    for (const auto& [at, count] : buckets_) {
      if (second(now) - at < kSeconds) sum += count;
    }
    return static_cast<double>(sum) / kSeconds;
  }

 private:
  static constexpr std::int64_t kSeconds = 60;
  struct Bucket {
    std::int64_t second = -kSeconds;
    std::uint64_t count = 0;
  };

  static std::int64_t second(Instant at) {
    return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
  }
  static std::size_t index(std::int64_t second) {
    return static_cast<std::size_t>(second % kSeconds);
  }

  std::uint64_t total_ = 0;
  std::array<Bucket, kSeconds> buckets_;
};

}  // namespace concur
