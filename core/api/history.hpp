#pragma once

#include "api/metrics.hpp"
#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace concur {

// What the daemon did in the last hours, a sample each ten seconds, so that a page shows the past
// when it is opened. Bounded: a sample has some hundred bytes, and eight for each rule that denied
// meanwhile. Nothing of it is stored.
class History {
 public:
  static constexpr Millis kStep = std::chrono::seconds(10);
  static constexpr std::size_t kMost = 2160;
  static constexpr Millis kLongest = kStep * static_cast<Millis::rep>(kMost);  // six hours

  // Counts are of the time from the sample before.
  struct Sample {
    WallTime at;
    Millis length{};
    std::uint64_t sessions = 0;
    std::uint64_t users = 0;
    std::optional<std::uint64_t> users_at_limit{};
    std::uint64_t starts = 0;
    std::uint64_t denials = 0;
    std::uint64_t evictions = 0;
    std::uint64_t heartbeats = 0;
    // Of what answers wait for: of the database, in a fleet of the engine. In seconds; none where
    // nothing was committed.
    std::optional<double> mean_commit{};
    std::optional<double> slow_commit{};                             // 99 of 100 took no longer
    std::vector<std::pair<std::uint32_t, std::uint64_t>> by_rule{};  // of the denials
  };

  // Whether add() would take a sample.
  bool is_due(Instant now) const { return !last_ || now >= next_; }
  // How long until it does.
  Millis due_in(Instant now) const { return is_due(now) ? Millis(0) : next_ - now; }
  // The first is what others count from. Does nothing where none is due.
  void add(const Figures& figures, const Now& now);

  const std::deque<Sample>& samples() const { return samples_; }
  const std::string& rule(std::uint32_t number) const { return rules_[number]; }

 private:
  // What counts since the daemon's start, as it was.
  struct Totals {
    Instant at;
    std::uint64_t starts = 0;
    std::uint64_t denials = 0;
    std::uint64_t evictions = 0;
    std::uint64_t heartbeats = 0;
    Histogram commits{kDurationBounds};
    std::map<std::string, std::uint64_t> by_rule{};
  };

  static Totals totals_of(const Figures& figures, Instant now);
  void count_rules(const Totals& totals, Sample& into);
  std::uint32_t number_of_rule(const std::string& name);

  std::deque<Sample> samples_;
  std::vector<std::string> rules_;  // as many as the meter tells apart
  std::optional<Totals> last_;
  Instant next_;
};

}  // namespace concur
