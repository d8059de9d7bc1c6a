#pragma once

#include "session/id.hpp"
#include "session/session.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace concur {

// The most sessions that one answer lists.
inline constexpr std::uint32_t kMostListed = 1000;

// Starts a session, or renews it where it is active.
struct Start {
  Id user;
  Id session;
  std::optional<Millis> ttl{};           // kShortestLease to kLongestLease
  std::optional<std::uint32_t> limit{};  // instead of the policy's
  Details details{};                     // kept from the start on; a renewal changes none
  bool refuse_repeat_above_limit =
      false;  // the first service's rule: a repeat is refused while the user is above the limit
};

// Renews an active session's lease; never starts one.
struct Heartbeat {
  Id user;
  Id session;
};

struct End {
  Id user;
  Id session;
};

// One user's active sessions, oldest start first, from behind the row `after` on.
struct ListUser {
  Id user;
  std::int64_t after = 0;
  std::uint32_t most = kMostListed;
};

// All active sessions from slot `after` on, in no order a user should know of. A session that stays
// active through the whole walk is listed exactly once.
struct ListAll {
  std::uint32_t after = 0;
  std::uint32_t most = kMostListed;
};

// Ends the sessions of one user, or of all, that gave no sign of life for `idle` (0: each one).
struct Purge {
  std::optional<Id> user{};
  Millis idle{};
  bool dry_run = false;
};

// Views into the request: they need to live through the call that takes the command, no longer.
using Command = std::variant<Start, Heartbeat, End, ListUser, ListAll, Purge>;

}  // namespace concur
