#pragma once

#include "session/session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace concur {

struct SessionInfo {
  std::string user;
  std::string session;
  WallTime started_at;
  WallTime last_seen_at;
  WallTime expires_at;
  Details details;
};

// A start or a heartbeat that was allowed.
struct Granted {
  std::string user;
  std::string session;
  bool renewed = false;  // the session was active before
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  WallTime expires_at;
  Millis heartbeat_interval{};
};

struct Denied {
  std::string user;
  std::string session;
  std::uint32_t active = 0;
  std::uint32_t attempted = 0;  // how many there would be, this one included
  std::uint32_t limit = 0;
  Millis retry_after{};               // until the user's first lease runs out
  std::vector<SessionInfo> sessions;  // oldest first, at most 1000
};

// The session is remembered, and no longer active.
struct Gone {
  std::string user;
  std::string session;
  EndReason reason = EndReason::kEnded;
};

// The session was never seen, or it is forgotten.
struct Unknown {
  std::string user;
  std::string session;
};

struct Ended {
  std::string user;
  std::string session;
  bool ended = false;  // false where it was not active
  std::uint32_t active = 0;
  std::optional<EndReason> reason;  // where it was not active and is remembered
};

struct UserSessions {
  std::string user;
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  std::vector<SessionInfo> sessions;
  std::optional<std::int64_t> next;  // the row to list on from, where there is more
};

struct Page {
  std::vector<SessionInfo> sessions;
  std::optional<std::uint32_t> next;  // the slot to list on from, where there is more
};

struct Purged {
  std::uint64_t count = 0;
  bool dry_run = false;
};

using Answer = std::variant<Granted, Denied, Gone, Unknown, Ended, UserSessions, Page, Purged>;

}  // namespace concur
