#pragma once

#include "base/histogram.hpp"
#include "service/command_kind.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace concur {

// From 0.1 ms, a decision in memory, to 10 s, when every client has given up; in nanoseconds.
inline constexpr std::int64_t kDurationBounds[] = {
    100'000,       250'000,       500'000,       1'000'000,     2'500'000,   5'000'000,
    10'000'000,    25'000'000,    50'000'000,    100'000'000,   250'000'000, 500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};
inline constexpr std::int64_t kChangesBounds[] = {1,   2,   5,    10,   20,   50,    100,
                                                  200, 500, 1000, 2000, 5000, 10'000};

// Commands since the daemon's start. Each counts once, under what it was answered.
struct CommandCounts {
  struct Starts {
    std::uint64_t started = 0;
    std::uint64_t renewed = 0;
    std::uint64_t denied = 0;
    std::uint64_t would_deny = 0;  // observed, and admitted
    std::uint64_t throttled = 0;   // too many a minute: 429
    std::uint64_t blocked = 0;     // of users whom an operator keeps out
    std::uint64_t failed = 0;      // no answer could be had: 503
  };
  struct Heartbeats {
    std::uint64_t renewed = 0;
    std::uint64_t gone = 0;
    std::uint64_t unknown = 0;
    std::uint64_t failed = 0;
  };
  struct Ends {
    std::uint64_t ended = 0;
    std::uint64_t not_active = 0;
    std::uint64_t failed = 0;
  };

  Starts starts;
  std::map<std::string, std::uint64_t> denials_by_rule{};  // those by the limit are the rest
  Heartbeats heartbeats;
  Ends ends;
  // From the command's arrival to its answer's leaving, by CommandKind; nanoseconds.
  std::array<Histogram, kCommandKinds> durations{
      Histogram(kDurationBounds), Histogram(kDurationBounds), Histogram(kDurationBounds),
      Histogram(kDurationBounds)};
};

// From a tenth of a second to an hour, the longest that a start may wait; in milliseconds.
inline constexpr std::int64_t kWaitBounds[] = {100,     250,     500,       1'000,    2'500,
                                               5'000,   10'000,  30'000,    60'000,   120'000,
                                               300'000, 600'000, 1'800'000, 3'600'000};

// Starts that waited for room since the daemon's start, by what became of them.
struct WaitCounts {
  std::uint64_t started = 0;
  std::uint64_t denied = 0;          // their time was over
  std::uint64_t left = 0;            // whoever waited was gone
  std::uint64_t failed = 0;          // no answer could be had, or another one
  Histogram durations{kWaitBounds};  // of all of them; milliseconds
};

// Commits of a database since the daemon's start.
struct CommitCounts {
  Histogram durations{kDurationBounds};  // failed ones too; nanoseconds
  Histogram changes{kChangesBounds};     // that went into each
  std::uint64_t failed = 0;
};

}  // namespace concur
