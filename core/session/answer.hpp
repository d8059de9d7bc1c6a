#pragma once

#include "base/result.hpp"
#include "rules/rule.hpp"
#include "session/cursor.hpp"
#include "session/session.hpp"
#include "session/start_token.hpp"
#include "session/terms.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace concur {

// A rule, or the limit, that has no room for a start.
struct Broken {
  std::string rule;  // "limit" for the plain limit
  std::uint32_t max = 0;
  std::uint32_t count = 0;                                // how many it counted, without the start
  std::vector<std::pair<std::string, std::string>> by{};  // what these have in common, by name
};

// Whether viewers are told of rules: not where the limit alone, as everybody has it, is why.
inline bool names_a_rule(const std::vector<Broken>& broken) {
  return broken.size() > 1 || (!broken.empty() && broken.front().rule != kLimitName);
}

struct SessionInfo {
  std::string user;
  std::string session;
  WallTime started_at;
  WallTime last_seen_at;
  WallTime expires_at;
  Details details;
  std::string box{};                        // of a fleet: the label of the one that serves it
  std::optional<WallTime> grace_ends_at{};  // it is let in until then, above the limit
};

// In answers to starts, heartbeats and ends, `degraded` says that a box of a fleet decided by what
// it knows itself, for the engine could not be asked.

// A start or a heartbeat that was allowed.
struct Granted {
  std::string user;
  std::string session;
  bool renewed = false;  // the session was active before
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  WallTime expires_at;
  Millis heartbeat_interval{};
  StartToken start{};                       // the latest of the session
  std::vector<std::string> evicted{};       // the sessions that made room for it
  bool would_deny = false;                  // observed: enforced, it would have been denied
  std::vector<Broken> broken{};             // observed: by these, where there are rules
  std::optional<Attribute::Kind> counts{};  // what the limit counts, where it is not sessions
  std::vector<std::string> would_evict{};   // observed: enforced, these would have been evicted
  bool degraded = false;
  std::optional<Millis> waited{};           // for room
  std::optional<WallTime> grace_ends_at{};  // it is let in until then, above the limit
};

struct Denied {
  std::string user;
  std::string session;
  std::uint32_t active = 0;
  std::uint32_t attempted = 0;  // how many there would be, this one included
  std::uint32_t limit = 0;      // of the first that is broken
  // Until leases that run out make room, in what is broken; nothing where none does.
  std::optional<Millis> retry_after{};
  std::vector<SessionInfo>
      sessions;  // counted by the first that is broken: oldest first, at most 1000
  std::optional<Millis> hold_off{};  // for how long it may not evict, where that is why
  bool degraded = false;
  std::vector<Broken> broken{};  // in the order of the rules; where there are rules
  std::optional<Attribute::Kind> counts{};
  std::string message{};           // as the policy words it; empty: the first service's sentence
  std::optional<Millis> waited{};  // for room, in vain
};

// A start for which there would be room, too soon after too many sessions of the user that started.
struct Throttled {
  std::string user;
  std::string session;
  std::uint32_t rate = 0;  // starts a minute
  std::uint32_t active = 0;
  Millis retry_after{};
  bool degraded = false;
};

// A start of a user whom an operator keeps out.
struct Blocked {
  std::string user;
  std::string session;
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  std::string message{};                // the operator's; empty for none
  std::optional<Millis> retry_after{};  // none: there is no end to it
  bool degraded = false;
};

struct Eviction {
  EvictedBy by;
  WallTime at;
};

// The session is remembered, and no longer active; or only an earlier start of it is meant.
struct Gone {
  std::string user;
  std::string session;
  EndReason reason = EndReason::kEnded;
  std::optional<Eviction> eviction{};  // where it was evicted
  bool degraded = false;
  std::uint32_t active = 0;  // of the user; these two where a start is answered so
  std::uint32_t limit = 0;
  std::string message{};  // what an operator has to say; empty for nothing
};

// The session was never seen, or it is forgotten.
struct Unknown {
  std::string user;
  std::string session;
  bool degraded = false;
};

struct Ended {
  std::string user;
  std::string session;
  bool ended = false;  // false where it was not active
  std::uint32_t active = 0;
  std::optional<EndReason> reason;     // where it was not ended and is remembered
  std::optional<Eviction> eviction{};  // where it was evicted
  bool degraded = false;
  std::string message{};  // then, what an operator had to say; empty for nothing
};

// What a rule, or the limit, counts for a start that is explained.
struct RuleExplained {
  std::string rule;  // "limit" for the plain limit
  std::string text;  // as it stands in the config
  bool applies = false;
  std::uint32_t max = 0;  // that holds for the user; 0: it binds nobody, or it forbids
  std::uint32_t count = 0;
  bool violated = false;
  OnLimit on_limit = OnLimit::kDeny;
  std::vector<std::pair<std::string, std::string>> by{};
  std::vector<std::string> sessions{};  // those counted, oldest first, at most 1000
};

struct Explanation {
  enum class Would : std::uint8_t { kStart, kRenew, kDeny, kStartObserved, kBlocked, kWait };

  std::string user;
  std::string session;
  Would would = Would::kStart;
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  LimitSource from = LimitSource::kDefault;  // but for a limit that came with it
  std::optional<Attribute::Kind> counts{};
  std::vector<RuleExplained> rules{};       // the limit first, then all rules in their order
  std::optional<std::string> reconnects{};  // the session on the same device, whose place it takes
  std::vector<std::string> evicts{};        // who makes room, or in observe mode would
  std::optional<Millis> hold_off{};         // for how long it may not evict, where that is why
  bool blocked = false;                     // an operator keeps the user out
  bool overlaps = false;                    // it would be let in for a while, above the limit
  Millis wait{};                            // for room, at most so long, where it would
  bool degraded = false;
};

struct UserSessions {
  std::string user;
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  std::vector<SessionInfo> sessions;
  Cursor next{};         // empty where there is no more
  bool blocked = false;  // an operator keeps it out
  std::optional<Attribute::Kind> counts{};
};

struct Page {
  std::vector<SessionInfo> sessions;
  Cursor next{};  // empty where there is no more
};

struct Purged {
  std::uint64_t count = 0;
  bool dry_run = false;
  std::uint64_t users = 0;                 // whose sessions they are; only of a dry run
  std::optional<std::uint64_t> blocked{};  // users; where they were to be
};

// What holds for a user. Active may exceed the limit: it was lowered, or not enforced.
struct UserLimit {
  std::string user;
  std::uint32_t limit = 0;
  LimitSource from = LimitSource::kDefault;
  std::string plan;  // empty for none; it may have been removed
  OnLimit on_limit = OnLimit::kDeny;
  std::uint32_t active = 0;
  RuleNumbers rules{};  // its own numbers
  std::optional<Attribute::Kind> counts{};
};

struct LimitPage {
  std::vector<UserLimit> limits;
  Cursor next{};  // empty where there is no more
};

struct PlanInfo {
  std::string plan;
  std::uint32_t limit = 0;
  std::optional<OnLimit> on_limit;
  std::uint32_t users = 0;  // who have it
  // Of them, those who are above its limit. Of more users than a list's step some may count until
  // the sweeper has come by, though their sessions have expired.
  std::uint32_t users_above = 0;
  RuleNumbers rules{};  // its own numbers
};

struct PlanList {
  std::vector<PlanInfo> plans;  // by name
};

struct PlanRemoved {
  std::string plan;
  bool removed = false;  // false where there was none
  std::uint32_t users = 0;
};

// Whether a user is kept out; what follows is said only where it is.
struct UserBlock {
  std::string user;
  bool blocked = false;
  WallTime since{};
  std::optional<WallTime> until{};  // none: until it is lifted
  std::string message{};            // empty for none
};

struct BlockPage {
  std::vector<UserBlock> blocks;
  Cursor next{};  // empty where there is no more
};

// The command cannot be carried out as things stand; nothing happened.
struct Refused {
  Error why;
};

using Answer = std::variant<Granted, Denied, Explanation, Throttled, Gone, Unknown, Ended,
                            UserSessions, Page, Purged, UserLimit, LimitPage, PlanInfo, PlanList,
                            PlanRemoved, Refused, Blocked, UserBlock, BlockPage>;

}  // namespace concur
