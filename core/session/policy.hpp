#pragma once

#include "base/clock.hpp"
#include "rules/on_limit.hpp"
#include "rules/rule_set.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// In observe mode a start above the limit is admitted and reported as one that would be denied;
// nobody is evicted to meet the limit.
enum class Mode : std::uint8_t { kEnforce, kObserve };

// How long whoever was evicted may evict nobody, and whoever got in by that stays: otherwise two
// players would throw each other out for ever. See viewer.hpp.
inline constexpr Millis kDefaultHoldOff = std::chrono::minutes(3);
inline constexpr Millis kMaxHoldOff = std::chrono::hours(24);

// Of one user so many are remembered for it, of each kind; the latest.
inline constexpr std::size_t kMaxHeldOff = 100;

// Who may watch, where neither the request, nor the user, nor its plan says else. The same wherever
// a user is counted.
struct Rules {
  std::uint32_t limit = 3;  // active sessions of one user, inclusive; kUnlimited for no limit
  Millis lease = std::chrono::seconds(90);
  // What it counts: sessions, or how many of these are different; one without counts by itself.
  std::optional<Attribute::Kind> counts{};
  OnLimit on_limit = OnLimit::kDeny;
  std::shared_ptr<const RuleSet> rules{};  // beside the limit; null: none
  std::vector<Attribute> required{};       // a start that lacks one of these is invalid
  Mode mode = Mode::kEnforce;
  Millis hold_off = kDefaultHoldOff;  // 0 to kMaxHoldOff; 0: nobody is held off
  // A session expires at that age, however often it is renewed; 0: at none.
  Millis longest{};
  // A start that is one too many is let in for so long, up to kMaxOverlap, as whoever changes over
  // starts before it ends what it watched; 0: none is.
  Millis overlap{};
};

// The latest moment that the lease of a session that started then may last to.
inline Instant latest_end(Millis longest, Instant started) {
  return longest == Millis(0) ? Instant::max() : started + longest;
}

// What keeps this process from harm, whatever clients do.
struct Protection {
  // Sessions of one user that may start a minute; 0: any number.
  std::uint32_t start_rate = 200;
  std::uint32_t max_sessions = 10'000'000;  // active ones of all users; 0: any number
};

// What is said to viewers.
struct Wording {
  // For a denial: {user}, {attempted}, {active} and {limit} stand for what they name. Empty: the
  // first service's sentence.
  std::string denial;
};

struct Policy : Rules, Protection, Wording {};

inline constexpr std::uint32_t kMaxStartRate = 1'000'000;
inline constexpr std::uint32_t kMaxMaxSessions = 1'000'000'000;

// Bounds of any lease, both inclusive. The sweeper keeps the promise about saved heartbeats (a
// third of a lease) down to the shortest; the longest fits 32 bits of milliseconds.
inline constexpr Millis kMinLease = std::chrono::seconds(1);
inline constexpr Millis kMaxLease = std::chrono::hours(24 * 30);
// Bounds of the age at which sessions expire, both inclusive.
inline constexpr Millis kMinLongest = std::chrono::seconds(1);
inline constexpr Millis kMaxLongest = std::chrono::hours(24 * 3660);

inline constexpr Millis kMaxOverlap = std::chrono::minutes(5);
// Once one that was let in so is refused, no other is for as often as long as that lasted.
inline constexpr int kOverlapPause = 2;

inline constexpr std::size_t kMaxPlans = 1000;

// How long the record of who shares is kept; the bounds are inclusive.
inline constexpr Millis kDefaultHistory = std::chrono::hours(24 * 30);
inline constexpr Millis kMinHistory = std::chrono::hours(1);
inline constexpr Millis kMaxHistory = std::chrono::hours(24 * 3660);

// How often a client should give a sign of life, so that two may be lost before the lease runs out.
constexpr Millis heartbeat_interval(Millis lease) { return lease / 3; }

}  // namespace concur
