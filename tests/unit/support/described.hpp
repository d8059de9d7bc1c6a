#pragma once

#include "session/answer.hpp"
#include "session/event.hpp"
#include "session/user_state.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

// Answers, events and users as texts, with all that they hold: so a test compares them whole, and
// what it prints where they differ can be read.
namespace concur::test {

inline std::string described(const std::string& text) { return "'" + text + "'"; }
inline std::string described(std::string_view text) { return described(std::string(text)); }
inline std::string described(const PackedText& text) { return described(text.str()); }
inline std::string described(const Cursor& cursor) { return described(cursor.text()); }
inline std::string described(WallTime at) { return format_utc(at); }
inline std::string described(Instant at) { return std::to_string(at.time_since_epoch().count()); }
template <class Period>
std::string described(std::chrono::duration<std::int64_t, Period> time) {
  return std::to_string(time.count());
}
template <class Number>
requires(std::is_arithmetic_v<Number> || std::is_enum_v<Number>) std::string
    described(Number number) {
  return std::to_string(static_cast<std::int64_t>(number));
}

inline std::string joined(std::initializer_list<std::string> parts) {
  std::string all = "(";
  for (const std::string& part : parts) all += (all.size() > 1 ? " " : "") + part;
  return all + ")";
}

inline std::string described(const Details& of) {
  return joined(
      {described(of.device), described(of.ip), described(of.content), described(of.meta)});
}
inline std::string described(const StartToken& of) {
  return joined({described(of.id), described(of.count)});
}
inline std::string described(const EvictedBy& of) {
  return joined({described(of.session), described(of.device), described(of.same_address)});
}
inline std::string described(const Eviction& of) {
  return joined({described(of.by), described(of.at)});
}
inline std::string described(const Error& of) {
  return joined({described(of.kind), described(of.message)});
}
inline std::string described(const Overlap& of) {
  return joined({described(of.length), of.limit ? described(*of.limit) : "-"});
}
inline std::string described(const SessionInfo& of) {
  return joined({described(of.user), described(of.session), described(of.started_at),
                 described(of.last_seen_at), described(of.expires_at), described(of.details),
                 described(of.box), of.grace_ends_at ? described(*of.grace_ends_at) : "-"});
}
// Those that are held by others.
std::string described(const UserLimit& of);
std::string described(const PlanInfo& of);
std::string described(const UserBlock& of);
std::string described(const Block& of);
std::string described(const Event& of);
std::string described(const EventMore& of);

template <class T>
std::string described(const std::optional<T>& of) {
  return of ? described(*of) : "-";
}
template <class T>
std::string described(const std::unique_ptr<T>& of) {
  return of ? described(*of) : "-";
}
template <class T>
std::string described(const std::vector<T>& of) {
  std::string all = "[";
  for (const T& each : of) all += (all.size() > 1 ? " " : "") + described(each);
  return all + "]";
}

// --- answers ---

inline std::string described(const Granted& of) {
  return "granted " +
         joined({described(of.user), described(of.session), described(of.renewed),
                 described(of.active), described(of.limit), described(of.expires_at),
                 described(of.heartbeat_interval), described(of.start), described(of.evicted),
                 described(of.would_deny), described(of.would_evict), described(of.degraded),
                 described(of.grace_ends_at)});
}
inline std::string described(const Denied& of) {
  return "denied " +
         joined({described(of.user), described(of.session), described(of.active),
                 described(of.attempted), described(of.limit), described(of.retry_after),
                 described(of.sessions), described(of.hold_off), described(of.degraded),
                 described(of.message)});
}
inline std::string described(const Blocked& of) {
  return "blocked " + joined({described(of.user), described(of.session), described(of.active),
                              described(of.limit), described(of.message), described(of.retry_after),
                              described(of.degraded)});
}
inline std::string described(const Throttled& of) {
  return "throttled " +
         joined({described(of.user), described(of.session), described(of.rate),
                 described(of.active), described(of.retry_after), described(of.degraded)});
}
inline std::string described(const Gone& of) {
  return "gone " + joined({described(of.user), described(of.session), described(of.reason),
                           described(of.eviction), described(of.active), described(of.limit),
                           described(of.degraded), described(of.message)});
}
inline std::string described(const Unknown& of) {
  return "unknown " + joined({described(of.user), described(of.session), described(of.degraded)});
}
inline std::string described(const Ended& of) {
  return "ended " + joined({described(of.user), described(of.session), described(of.ended),
                            described(of.active), described(of.reason), described(of.eviction),
                            described(of.degraded), described(of.message)});
}
inline std::string described(const UserSessions& of) {
  return "sessions " + joined({described(of.user), described(of.active), described(of.limit),
                               described(of.sessions), described(of.next), described(of.blocked)});
}
inline std::string described(const UserBlock& of) {
  return "block " + joined({described(of.user), described(of.blocked), described(of.since),
                            described(of.until), described(of.message)});
}
inline std::string described(const BlockPage& of) {
  return "blocks " + joined({described(of.blocks), described(of.next)});
}
inline std::string described(const Page& of) {
  return "page " + joined({described(of.sessions), described(of.next)});
}
inline std::string described(const Purged& of) {
  return "purged " + joined({described(of.count), described(of.dry_run), described(of.users),
                             described(of.blocked)});
}
inline std::string described(const UserLimit& of) {
  return "limit " + joined({described(of.user), described(of.limit), described(of.from),
                            described(of.plan), described(of.on_limit), described(of.active)});
}
inline std::string described(const LimitPage& of) {
  return "limits " + joined({described(of.limits), described(of.next)});
}
inline std::string described(const PlanInfo& of) {
  return "plan " + joined({described(of.plan), described(of.limit), described(of.on_limit),
                           described(of.users), described(of.users_above)});
}
inline std::string described(const PlanList& of) { return "plans " + described(of.plans); }
inline std::string described(const PlanRemoved& of) {
  return "removed " + joined({described(of.plan), described(of.removed), described(of.users)});
}
inline std::string described(const Refused& of) { return "refused " + described(of.why); }
inline std::string described(const Answer& of) {
  return std::visit([](const auto& each) { return described(each); }, of);
}

// --- events ---

inline std::string described(const EventMore& of) {
  return joined({described(of.details), described(of.evicted_by), described(of.plan),
                 described(of.fight), described(of.message), described(of.until),
                 described(of.provisional), described(of.grace_ends_at)});
}
inline std::string described(const Event& of) {
  return "event " + joined({described(of.kind), described(of.would_deny), described(of.removed),
                            described(of.active), described(of.limit), described(of.user),
                            described(of.session), described(of.at), described(of.more)});
}

// --- users ---

inline std::string described(const Row& of) {
  return joined({described(of.id), described(of.session), described(of.started),
                 described(of.last_seen), described(of.expires), described(of.ttl),
                 described(of.details), described(of.start), described(of.overlap)});
}
inline std::string described(const UserState::Session& of) {
  return joined(
      {described(of.row), described(of.box), described(of.row_rest), described(of.lease_rest)});
}
inline std::string described(const GoneRow& of) {
  return joined({described(of.session), described(of.reason), described(of.at), described(of.ttl),
                 described(of.by), described(of.row), described(of.start), described(of.message)});
}
inline std::string described(const UserState::Gone& of) {
  return joined({described(of.row), described(of.far), described(of.rest)});
}
inline std::string described(const HoldOffRow& of) {
  return joined({described(of.id), described(of.session), described(of.device), described(of.since),
                 described(of.address), described(of.mark)});
}
inline std::string described(const ReplacedNames::One& of) {
  return joined({std::to_string(of.hash), described(of.since)});
}
inline std::string described(const Block& of) {
  return joined({described(of.since), described(of.length), described(of.message)});
}
inline std::string described(const LimitRow& of) {
  return joined({described(of.limit), described(of.on_limit), described(of.plan)});
}
// Those of one moment in no order a reader should know of.
template <class T>
std::string described_in_any_order(const std::vector<T>& of) {
  std::vector<std::string> all;
  for (const T& each : of) all.push_back(described(each));
  std::ranges::sort(all);
  std::string text;
  for (const std::string& each : all) text += "\n  " + each;
  return text;
}
inline std::string described(const UserState& of) {
  return "user " + described(of.user) + described_in_any_order(of.sessions) + "\n gone" +
         described_in_any_order(of.gone) + "\n marks" + described_in_any_order(of.marks) +
         "\n replaced" + described_in_any_order(of.replaced) + "\n " + described(of.rule) + " " +
         described(of.starts_due) + " " + described(of.block) + " " + described(of.set_rest) + " " +
         described(of.no_overlap_until);
}

}  // namespace concur::test
