#pragma once

#include "base/clock.hpp"
#include "rules/rule_numbers.hpp"
#include "session/policy.hpp"
#include "session/viewer.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace concur {

// Optional attributes that a client gave for a session; empty: not given. meta is a JSON object's
// text.
struct Details {
  std::string device;
  std::string ip;
  std::string content;
  std::string meta;

  bool empty() const { return device.empty() && ip.empty() && content.empty() && meta.empty(); }
  bool operator==(const Details&) const = default;
};

// A session that started above the limit, or above what a rule admits, is let in for so long; then
// it stays if there is room for it, or else it ends.
struct Overlap {
  Millis length{};                       // from its start
  std::optional<std::uint32_t> limit{};  // that came with the start, instead of the user's

  bool operator==(const Overlap&) const = default;
};

// A session as the store keeps it, its times on the boot clock of now.
struct Row {
  std::int64_t id = 0;  // ascends with each start; never used again
  std::string user;
  std::string session;
  Instant started;
  Instant last_seen;
  Instant expires;
  Millis ttl{};
  std::unique_ptr<Details> details;    // none where none were given
  std::uint32_t start = 0;             // the latest of its starts, as far as it was saved
  std::int64_t fleet_id = 0;           // of a fleet's box: the start's id there; 0: none
  std::unique_ptr<Overlap> overlap{};  // while it is let in for a while
};

Row copy_of(const Row& row);

// What is remembered of a viewer for as long as hold-off is.
struct HoldOffRow {
  std::int64_t id = 0;  // of one who is held off: the evicted session's
  std::string user;
  std::string session;
  std::string device;  // empty where it gave none, or one that was fought over
  Instant since;
  std::string address{};       // of an IPv6 one the network; empty where it gave none
  std::optional<Mark> mark{};  // none: of an older daemon, which held off session and device
};

// Who took an evicted session's place.
struct EvictedBy {
  std::string session;
  std::string device;  // empty where it gave none
  // Both are of one viewer, known by its address, so that this was zapping: unless a heartbeat
  // shows that the evicted one plays on.
  bool same_address = false;
};

// Why a session is no longer active, or not that of whoever asks: another start took it over. One
// that was denied was let in for a while, and then there was no room for it.
enum class EndReason : std::uint8_t { kEnded, kExpired, kEvicted, kPurged, kDenied, kOtherStart };

// A session that is gone, for as long as it is remembered why. A database keeps those alone that
// were evicted, purged or denied, or whose viewer is to be told something.
struct GoneRow {
  std::int64_t id = 0;  // ascends with each session that goes
  std::string user;
  std::string session;
  EndReason reason = EndReason::kPurged;  // never kOtherStart
  Instant at;
  Millis ttl{};
  std::unique_ptr<EvictedBy> by;  // of an evicted one
  // The latest of its starts, as its token names it; 0 where that is not known any more.
  std::int64_t row = 0;
  std::uint32_t start = 0;
  std::string message{};  // what an operator has to say to the viewer; empty for nothing
};

GoneRow copy_of(const GoneRow& row);

// What operators set for one user; what is absent is left to the plan, and then to the policy.
struct LimitRow {
  std::string user;
  std::optional<std::uint32_t> limit;
  std::optional<OnLimit> on_limit;
  std::string plan;  // empty for none
  RuleNumbers numbers{};

  bool empty() const { return !limit && !on_limit && plan.empty() && numbers.empty(); }
};

struct PlanRow {
  std::string plan;
  std::uint32_t limit = 0;
  std::optional<OnLimit> on_limit;
  RuleNumbers numbers{};
};

// What an operator has to say to viewers has at most so many bytes.
inline constexpr std::size_t kMaxMessageBytes = 512;
inline constexpr Millis kMaxBlock = std::chrono::hours(24 * 3660);

// An operator keeps a user out: none of its sessions starts until it is over or lifted.
struct Block {
  Instant since;
  std::optional<Millis> length{};  // none: until it is lifted
  std::string message{};           // for the viewer; empty for none

  std::optional<Instant> until() const {
    return length ? std::optional(since + *length) : std::nullopt;
  }
  bool is_over(Instant now) const { return length && since + *length <= now; }
  bool operator==(const Block&) const = default;
};

struct BlockRow {
  std::string user;
  Block block;
};

// What the store gives back at start-up.
using StoredRow = std::variant<PlanRow, LimitRow, BlockRow, Row, HoldOffRow, GoneRow>;

}  // namespace concur
