#pragma once

#include "base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace concur::engine {

// A primary's wall clock against our boot clock, as far as its answers tell: what it said the time
// was, it was between the moment of the question and that of the answer.
class EngineClock {
 public:
  // What the two clocks may drift apart: some twenty times what quartz does.
  static constexpr int kDriftDivisor = 1000;
  // What is no drift any more: its clock was set, or the primary is another one.
  static constexpr Millis kStep{500};

  // Engine's clock minus boot clock.
  struct Bounds {
    Millis earliest{};
    Millis latest{};
  };

  // True where it contradicts by more than kStep what was known: then only this answer counts.
  bool learn(Instant asked, Instant answered, WallTime told) {
    const Millis offset = told.time_since_epoch() - answered.time_since_epoch();
    // Either clock was cut to whole milliseconds.
    const Bounds seen{offset - Millis(1), offset + (answered - asked) + Millis(1)};
    if (!bounds_) {
      bounds_ = seen;
      learnt_ = answered;
      return false;
    }
    const Bounds known = at(answered);
    const Millis gap = std::max(seen.earliest - known.latest, known.earliest - seen.latest);
    learnt_ = answered;
    if (gap > Millis(0)) {
      bounds_ = seen;
      if (gap < kStep) return false;
      ++steps_;
      return true;
    }
    bounds_ = Bounds{std::max(seen.earliest, known.earliest), std::min(seen.latest, known.latest)};
    return false;
  }

  // None before its first answer.
  std::optional<Bounds> bounds(Instant now) const {
    if (!bounds_) return std::nullopt;
    return at(now);
  }
  std::uint64_t steps() const { return steps_; }

 private:
  Bounds at(Instant now) const {
    const Millis drift = std::max(Millis(0), now - learnt_) / kDriftDivisor;
    return {bounds_->earliest - drift, bounds_->latest + drift};
  }

  std::optional<Bounds> bounds_;
  Instant learnt_{};
  std::uint64_t steps_ = 0;
};

}  // namespace concur::engine
