#pragma once

#include "session/cursor.hpp"
#include "session/id.hpp"
#include "session/policy.hpp"
#include "session/session.hpp"
#include "session/start_token.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace concur {

// The most sessions that one answer lists.
inline constexpr std::uint32_t kMaxListed = 1000;

// Starts a session, or renews it where it is active.
struct Start {
  Id user;
  Id session;
  std::optional<Millis> ttl{};           // kMinLease to kMaxLease
  std::optional<std::uint32_t> limit{};  // instead of the user's, the plan's, the policy's
  Details details{};                     // a renewal leaves the device as it is
  std::optional<OnLimit> on_limit{};     // instead of the user's, the plan's, the policy's
  std::optional<Id> replace{};           // the user's session that makes room, if it is active
  bool replace_all = false;              // all of the user's others make room; not with `replace`
  // The legacy API's rule: a repeat is refused while the user is above the limit.
  bool refuse_repeat_above_limit = false;
  // The start that is repeated. A repeat without it, or with an earlier one's, is another start of
  // the active session.
  std::optional<StartToken> start{};
  // Whoever repeats it knows no tokens: it is no other start, and the token stays as it is.
  bool keeps_token = false;
  // Whoever asks cannot tell a start from a sign of life: a session that was ended, evicted or
  // purged is not started again for as long as that is remembered.
  bool never_revives = false;
  // Where it is denied it will be asked again: then that is not recorded, lists no sessions, and is
  // answered at once, whether or not it is durable what it rests on.
  bool tries = false;
  std::optional<Millis> waited{};  // for room, until now
};

// What would become of that start, and why, without doing it.
struct Explain : Start {
  Millis wait{};  // for room, at most so long; 0: not at all
};

// Renews an active session's lease; never starts one. `start`: only if that is no earlier start
// than the latest.
struct Heartbeat {
  Id user;
  Id session;
  std::optional<Millis> ttl{};  // kMinLease to kMaxLease
  std::optional<StartToken> start{};
};

// `start`: as a heartbeat's.
struct End {
  Id user;
  Id session;
  std::optional<StartToken> start{};
  std::string message{};  // for the viewer, where it is active; at most kMaxMessageBytes
};

// One user's active sessions, oldest start first. Any list goes on at `after`; a cursor that is not
// the service's own is refused as invalid.
struct ListUser {
  Id user;
  Cursor after{};
  std::uint32_t most = kMaxListed;
};

// All active sessions, in no order a user should know of. One that stays active through the whole
// walk is listed at least once; by a registry, exactly once. A page may hold fewer than `most`
// though more follow, even none: so much is looked at in one step.
struct ListAll {
  Cursor after{};
  std::uint32_t most = kMaxListed;
};

// Ends the sessions of one user, or of all, of which all holds that is said here.
struct Purge {
  std::optional<Id> user{};
  Millis idle{};  // without a sign of life for so long; 0: or not
  bool dry_run = false;
  Millis older_than{};  // started so long ago; 0: or not
  // As sessions have them; empty: whatever they have.
  std::string ip{};
  std::string device{};
  std::string content{};
  std::vector<std::pair<std::string, std::string>> meta{};
  // The users of these sessions are kept out for so long, before any of them ends.
  std::optional<Millis> block{};
  bool blocks_anyway = false;  // the one who is named, though no session is meant
  std::string message{};       // for the viewers; at most kMaxMessageBytes
};

// Outer: whether it is to be changed; inner: to what, or to nothing.
template <class T>
using Patch = std::optional<std::optional<T>>;

// Other numbers for rules, by their names; nothing: back to the next that sets one.
using RulePatch = std::vector<std::pair<std::string, std::optional<std::uint32_t>>>;

// What holds for one user.
struct ShowLimit {
  Id user;
};

// Changes what is set for one user.
struct SetLimit {
  Id user;
  Patch<std::uint32_t> limit{};
  Patch<Id> plan{};
  Patch<OnLimit> on_limit{};
  RulePatch rules{};
  bool drops_rules = false;  // each number for a rule goes, before `rules`
};

// The users for whom anything is set, in no order a user should know of. Pages are as in ListAll.
struct ListLimits {
  Cursor after{};
  std::uint32_t most = kMaxListed;
};

struct ShowPlan {
  Id plan;
};

// Makes a plan, which needs a limit, or changes one.
struct SetPlan {
  Id plan;
  std::optional<std::uint32_t> limit{};
  Patch<OnLimit> on_limit{};
  RulePatch rules{};
};

struct RemovePlan {
  Id plan;
  bool force = false;  // though users have it
};

struct ListPlans {};

// Whether a user is kept out.
struct ShowBlock {
  Id user;
};

// Keeps a user out from now on, in place of what was said before.
struct SetBlock {
  Id user;
  std::optional<Millis> length{};  // up to kMaxBlock; none: until it is lifted
  std::string message{};           // for the viewer; at most kMaxMessageBytes
};

struct Unblock {
  Id user;
};

// The users who are kept out, in no order a user should know of. Pages are as in ListAll.
struct ListBlocks {
  Cursor after{};
  std::uint32_t most = kMaxListed;
};

// Views into the request: they need to live through the call that takes the command, no longer.
using Command = std::variant<Start, Explain, Heartbeat, End, ListUser, ListAll, Purge, ShowLimit,
                             SetLimit, ListLimits, ShowPlan, SetPlan, RemovePlan, ListPlans,
                             ShowBlock, SetBlock, Unblock, ListBlocks>;

}  // namespace concur
