#pragma once

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "service/counts.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// What a box of a fleet asked of its engine, and decided without it, since the daemon's start.
struct FleetCounts {
  // Changes and reads, each once, whatever it took.
  struct Requests {
    std::uint64_t answered = 0;
    std::uint64_t late = 0;  // the engine carried it out no more
    std::uint64_t full = 0;  // its memory is
    std::uint64_t unavailable = 0;
  };
  struct Redirects {
    std::uint64_t moved = 0;
    std::uint64_t ask = 0;
    std::uint64_t read_only = 0;
    std::uint64_t retried = 0;  // for another reason that passes
  };
  // Answers while the engine could not be asked.
  struct LocalDecisions {
    std::uint64_t started = 0;
    std::uint64_t denied = 0;
    std::uint64_t renewed = 0;  // heartbeats, and starts of sessions that this box serves
    std::uint64_t ended = 0;
    std::uint64_t refused = 0;  // answered 503
  };

  Requests requests;
  Histogram request_durations{kDurationBounds};  // of those that were answered; nanoseconds
  std::uint64_t conflicts = 0;  // answered, and to be decided again: another box was first
  Redirects redirects;
  std::uint64_t reconnects = 0;
  LocalDecisions local_decisions;
  std::uint64_t unacknowledged = 0;  // changes that no replica is known to have
  std::uint64_t reclaimed = 0;       // sessions that the engine had forgotten
};

// Whom a box of a fleet knows, and how it is.
struct FleetStatus {
  enum class State : std::uint8_t {
    kOk,
    kDegraded,  // some users are decided here alone
    kDown       // all are
  };

  // The engine's clock minus this box's wall clock lies between.
  struct ClockOffset {
    Millis least{};
    Millis most{};
  };

  struct Primary {
    std::string address;
    bool up = false;
    std::string trouble;                      // why it is not, or what last was; may be empty
    std::optional<ClockOffset> clock_offset;  // none before its first answer
    bool short_of_replicas = false;           // none of them acknowledges
    std::size_t requests = 0;                 // under way
  };

  // Another box of this fleet, as it wrote of itself.
  struct Box {
    std::string id;
    std::string label;
    std::string version;
    std::string policy;    // a digest of its policy and rules
    WallTime seen_at;      // when it last wrote
    bool differs = false;  // its policy, or its label is that of another one
  };

  State state = State::kOk;
  std::string box;               // this one's label
  std::string box_id;            // this one's identity
  std::string name;              // fleet-name
  std::string policy;            // as Box::policy, of this one
  std::string_view ack;          // as the settings have the words
  std::string_view unavailable;  //
  std::string trouble;           // of the whole; empty where all is well
  std::vector<Primary> primaries;
  std::vector<Box> others;
  FleetCounts counts;
};

// As it is shown: ok, degraded, down.
constexpr std::string_view word_of(FleetStatus::State state) {
  switch (state) {
    case FleetStatus::State::kOk:
      return "ok";
    case FleetStatus::State::kDegraded:
      return "degraded";
    case FleetStatus::State::kDown:
      return "down";
  }
  return "down";
}

}  // namespace concur
