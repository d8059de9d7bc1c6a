#pragma once

#include "base/clock.hpp"
#include "session/distinct_count.hpp"
#include "session/slab.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  DistinctCount devices{};
  DistinctCount addresses{};

  // The other's part of the same hour comes in.
  void merge(const Usage& other);
  bool empty() const { return starts == 0 && denials == 0 && evictions == 0; }
  bool operator==(const Usage&) const = default;
};

// One start, as the record sees it.
struct Attempt {
  enum class Outcome : std::uint8_t {
    kStarted,
    kRefused,
    kRepeated,  // the session was active, and the count above the limit (the first service's rule)
  };

  std::string_view session;
  std::string_view device;
  std::string_view address;
  std::uint32_t active = 0;  // sessions active after it
  std::uint32_t limit = 0;   // kUnlimited for none
  Outcome outcome = Outcome::kStarted;
  bool denied = false;                 // in observe mode it started nevertheless
  std::uint32_t evictions = 0;         // that made room, take-overs among them
  std::vector<std::string> evicted{};  // for the limit's sake: their devices, or else their names
};

// The record of who shares, as far as it is not stored yet: each user's present hour. It is handed
// over in parts, which the store adds up; between two of them nothing is kept of a user but whom it
// was refused or evicted within the last lease, for those players still want to watch.
class UsageRecord {
 public:
  // How long a part collects before it is handed over.
  static constexpr Millis kPart = std::chrono::seconds(60);
  // Refused and evicted players of one user that are told apart.
  static constexpr std::size_t kMostWaiting = 32;

  struct Part {
    Slot user;
    Usage usage;
  };

  // Counts a start of that user. A part comes back where another hour has begun. `added` tells
  // whether the user was not held here before.
  std::optional<Part> count(Slot user, const Attempt& attempt, Millis lease, const Now& now,
                            bool& added);

  // Takes the oldest part out that has collected for kPart, or any with `all`. The user is held
  // here no longer where `gone` says so.
  std::optional<Part> take(const Now& now, bool all, bool& gone);

  // A start of the user was undone.
  void uncount_start(Slot user);

  // A part that could not be stored comes back. `added` as for count().
  void put_back(Part part, const Now& now, bool& added);

  std::size_t size() const { return users_.size(); }

 private:
  // A player that wants to watch and does not: its device, or else its session, as a hash.
  struct Waiting {
    std::uint32_t player;
    Instant until;
  };
  struct Entry {
    Usage usage;
    std::vector<Waiting> waiting;
  };
  struct Queued {
    Slot user;
    Instant since;
  };

  Entry& entry_of(Slot user, const Now& now, bool& added);
  static void count_players(Entry& entry, const Attempt& attempt, Millis lease, Instant now);

  boost::unordered_flat_map<Slot, std::unique_ptr<Entry>> users_;
  std::deque<Queued> queue_;  // each user of users_ once, the longest there first
};

}  // namespace concur
