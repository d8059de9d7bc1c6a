#pragma once

#include "load/histogram.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace concur::bench {

/// What a run measured.
struct Outcome {
  static constexpr std::size_t kStatuses = 600;

  std::uint64_t requests = 0;
  double seconds = 0;
  Histogram latency;
  /// The same by the second in which a request was asked or due; only where it is wanted.
  std::vector<Histogram> by_second;
  /// Processor time of the whole run on either side.
  std::chrono::nanoseconds server_time{};
  std::chrono::nanoseconds client_time{};
  /// Answers by status.
  std::array<std::uint64_t, kStatuses> answers{};
  std::uint64_t errors = 0;
  std::string first_error;

  void count_error(std::uint64_t count, const std::string& what) {
    if (errors == 0) {
      first_error = what;
    }
    errors += count;
  }
};

}  // namespace concur::bench
