#pragma once

#include "base/clock.hpp"
#include "session/usage.hpp"
#include "session/user_ref.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// One start, as the record sees it.
struct Attempt {
  enum class Outcome : std::uint8_t {
    kStarted,
    kRefused,
    kRepeated,  // the session was active, and the count above the limit (the legacy rule)
  };

  std::string_view session;
  std::string_view device;
  std::string_view address;
  std::uint32_t active = 0;  // sessions active after it
  std::uint32_t limit = 0;   // kUnlimited for none
  Outcome outcome = Outcome::kStarted;
  bool denied = false;                 // in observe mode it started nevertheless
  std::string_view rule{};             // that had no room; empty: the limit
  std::uint32_t evictions = 0;         // that made room, take-overs among them
  std::vector<std::string> evicted{};  // for the limit's sake: their devices, or else their names
};

// What is to be recorded of a user, once it is certain that it happened: a start, or a place that
// a session was renewed from. It owns what the attempt's texts are.
struct Noted {
  std::string session;
  std::string device;
  std::string address;
  std::string rule;
  std::optional<Attempt> attempt;  // its views stand for the texts above
  bool conflict = false;           // of a place
  Millis lease{};
  Now now;
};

// The record of who shares, as far as it is not stored yet: each user's present hour, handed to the
// store in parts that it adds up. Between two parts only those players of a user are kept that were
// refused or evicted within the last lease: they still want to watch. Whoever is recorded here is
// kept in the table.
class UsageRecord {
 public:
  // How long a part collects before it is handed over.
  static constexpr Millis kPart = std::chrono::seconds(60);
  // Players of one user that still want to watch and are distinguished.
  static constexpr std::size_t kMaxUnserved = 32;

  struct Part {
    UserRef user;
    Usage usage;
  };

  // Counts a start of that user. A part comes back where another hour has begun.
  std::optional<Part> count(UserRef user, const Attempt& attempt, Millis lease, const Now& now);

  // Counts a renewal of one of the user's sessions, or a start, from elsewhere than before:
  // `device` and `address` as it gave them. A conflict is one stream too many at least.
  std::optional<Part> count_place(UserRef user, std::string_view device, std::string_view address,
                                  bool conflict, const Now& now);

  // What was noted before.
  std::optional<Part> count(UserRef user, const Noted& noted);

  // Takes the oldest part out that has collected for kPart, or any with `all`. It may be empty.
  std::optional<Part> take(const Now& now, bool all);

  // A start of the user, a conflict, or the end of a session that was let in for a while, which is
  // a denial by that rule, or else the limit, was rolled back.
  void uncount_start(Slot user);
  void uncount_denial(Slot user, std::string_view rule);
  void uncount_conflict(Slot user);

  // A part that could not be stored comes back.
  void put_back(Part part, const Now& now);

  std::size_t size() const { return users_.size(); }

 private:
  // A player that wants to watch and does not: its device, or else its session, as a hash.
  struct Unserved {
    std::uint32_t player;
    Instant until;
  };
  struct Entry {
    Usage usage;
    std::vector<Unserved> unserved;
  };
  struct Queued {
    UserRef user;
    Instant since;
  };

  Entry& entry_of(const UserRef& user, const Now& now);
  static std::optional<Usage> begin_hour(Entry& entry, const Now& now);
  static void count_players(Entry& entry, const Attempt& attempt, Millis lease, Instant now);

  boost::unordered_flat_map<Slot, std::unique_ptr<Entry>> users_;
  std::deque<Queued> queue_;  // each user of users_ once, the longest there first
};

}  // namespace concur
