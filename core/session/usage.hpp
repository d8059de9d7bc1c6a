#pragma once

#include "rules/rule_numbers.hpp"
#include "session/distinct_count.hpp"

#include <cstdint>

namespace concur {

// What one user did in one hour, or in a part of it.
struct Usage {
  std::int64_t hour = 0;        // of the wall clock, since 1970
  std::uint32_t starts = 0;     // allowed ones, renewals not counted
  std::uint32_t denials = 0;    // those let in by observe mode too
  std::uint32_t evictions = 0;  // sessions that made room; reconnects not counted
  std::uint32_t peak = 0;       // most sessions active at once
  std::uint32_t attempted = 0;  // most that would have been, had nobody been refused or evicted
  std::uint32_t excess = 0;     // by how many that was over the limit at the time
  std::uint32_t conflicts = 0;  // how often one session or device was used from two places
  DistinctCount devices{};
  DistinctCount addresses{};
  RuleNumbers by_rule{};  // the denials by rules; those by the limit are the rest

  // The other's part of the same hour comes in.
  void merge(const Usage& other);
  bool counts_nothing() const {
    return starts == 0 && denials == 0 && evictions == 0 && conflicts == 0;
  }
  bool empty() const { return counts_nothing() && devices.empty() && addresses.empty(); }
  bool operator==(const Usage&) const = default;
};

}  // namespace concur
