#pragma once

#include "base/clock.hpp"
#include "session/packed_text.hpp"
#include "session/session.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace concur {

enum class EventKind : std::uint8_t {
  kStarted,
  kRenewed,
  kEnded,
  kExpired,
  kEvicted,
  kPurged,
  kDenied,
  kLimitChanged,
  kBlocked,
  kUnblocked,
  kWaiting,  // a start is denied for now, and waits for room
  kLeft,     // whoever waited for room is gone
};

// What only some events contain.
struct EventMore {
  Details details;        // started, denied, waiting, left: as the client gave them, without meta
  EvictedBy evicted_by;   // evicted
  std::string plan;       // limit_changed: the user's, or with no user the one that changed
  bool fight = false;     // started: its device changes hands so often that it is no reconnect now
  std::string message{};  // ended, purged, blocked: what an operator has to say
  std::optional<WallTime> until{};  // blocked: none where there is no end to it
  std::string rule{};               // denied: the first rule that had no room; empty for the limit
  std::optional<Millis> waited{};   // started, denied, left: for room
  // started: it is let in above the limit, until then, or such a one stays; denied: such a one ends
  std::optional<bool> provisional{};
  std::optional<WallTime> grace_ends_at{};
};

// Something that happened, for those who watch. Laid out for size: tens of thousands are kept.
struct Event {
  EventKind kind{};
  bool would_deny = false;  // denied: observed, and let in
  bool removed = false;     // limit_changed: the plan was removed
  std::uint32_t active = 0;
  std::uint32_t limit = 0;
  PackedText user;     // empty: of no one user
  PackedText session;  // empty: of no one session
  WallTime at;
  std::unique_ptr<EventMore> more;  // none where there is no more
};

}  // namespace concur
