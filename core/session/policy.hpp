#pragma once

#include "base/clock.hpp"

#include <cstdint>

namespace concur {

inline constexpr std::uint32_t kUnlimited = 0;

// What holds where a request says nothing else.
struct Policy {
  std::uint32_t limit = 3;  // active sessions of one user, inclusive; kUnlimited for no limit
  Millis lease = std::chrono::seconds(90);
};

// Bounds of any lease, both inclusive. The sweeper keeps the promise about saved heartbeats (a
// third of a lease) down to the shortest; the longest fits 32 bits of milliseconds.
inline constexpr Millis kShortestLease = std::chrono::seconds(1);
inline constexpr Millis kLongestLease = std::chrono::hours(24 * 30);
inline constexpr std::uint32_t kMostLimit = 1'000'000'000;

// How often a client should give a sign of life, so that two may be lost before the lease runs out.
constexpr Millis heartbeat_interval(Millis lease) { return lease / 3; }

}  // namespace concur
