#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstdint>

namespace concur {

// How many there were since the start, and a second, averaged over the last minute.
struct Rate {
  std::uint64_t total = 0;
  double per_second = 0;
};

// Counts what happens and how much of it came in the last minute, a bucket a second.
class RateMeter {
 public:
  void add(Instant now) {
    ++total_;
    Bucket& bucket = buckets_[index(second(now))];
    if (bucket.second != second(now)) bucket = {second(now), 0};
    ++bucket.count;
  }

  Rate rate(Instant now) const {
    std::uint64_t sum = 0;
    for (const auto& [at, count] : buckets_) {
      if (second(now) - at < kSeconds) sum += count;
    }
    return {total_, static_cast<double>(sum) / kSeconds};
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
