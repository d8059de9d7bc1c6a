#pragma once

#include "session/terms.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// Whether a start is admitted and who makes room for it: the rules alone, over one user's state.
// They change nothing and know nothing of how sessions are held: both the registry and a service
// whose users live elsewhere ask them, each through a view of its own.
namespace concur {

// What a view calls one of the user's active sessions: a slot, an index.
using SessionRef = std::uint32_t;

// The part of a start that the rules look at.
struct Applicant {
  std::string_view session;
  std::string_view device{};                   // empty for none
  std::optional<std::string_view> replaces{};  // the session that is to make room
};

// One user's state at the moment of the start, without what has expired by then. A rule that needs
// to know more of a session or a user adds a question here; what no rule that holds asks for costs
// nothing.
template <class T>
concept UserView = requires(const T& user, const Applicant& start, SessionRef session) {
  { user.active() } -> std::convertible_to<std::uint32_t>;
  // Active ones, if there are such.
  { user.on_device(start.device) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.named(start.session) } -> std::convertible_to<std::optional<SessionRef>>;
  // In the order of their starts.
  { user.oldest() } -> std::convertible_to<std::optional<SessionRef>>;
  { user.after(session) } -> std::convertible_to<std::optional<SessionRef>>;
  // For how long the start may not evict; 0 where it may. See hold_off_left().
  { user.hold_off(start) } -> std::convertible_to<Millis>;
};

struct Admission {
  enum class Verdict : std::uint8_t {
    kAdmitted,
    kDenied,
    kWouldDeny,  // observed: admitted, and would be denied if the limit were enforced
  };

  Verdict verdict = Verdict::kAdmitted;
  // Who leaves if the start is not denied, in this order.
  std::optional<SessionRef> reconnected{};  // it had the start's device, and is not held off
  std::vector<SessionRef> replaced{};       // named by the start
  std::vector<SessionRef> evicted{};        // to meet the limit, oldest start first
  std::vector<SessionRef> would_evict{};    // observed: they stay
  std::optional<Millis> held_off{};         // for how long it may not evict, where that is why

  bool moves_somebody() const {
    return reconnected || !replaced.empty() || !evicted.empty() || !would_evict.empty();
  }
};

// How many sessions leave.
inline std::size_t leaving(const Admission& admission) {
  return admission.replaced.size() + admission.evicted.size() + (admission.reconnected ? 1 : 0);
}

// How many sessions make room, as the record of who shares counts them: observed, nobody left, so
// that all but one of those who would make room do so for an earlier start.
inline std::uint32_t evictions_of(const Admission& admission) {
  return static_cast<std::uint32_t>(admission.replaced.size() + admission.evicted.size() +
                                    (admission.would_evict.empty() ? 0 : 1));
}

// A start renews a session that is active already. The legacy API refuses that while the user is
// above the limit.
inline bool refuses_legacy_repeat(const Terms& terms, std::uint32_t active) {
  return terms.limit != kUnlimited && active > terms.limit;
}

// Whoever was evicted is held off: neither the session nor its device may evict within kHoldOff.
// `hold_offs` is a range of the user's, each with a session, a device and the moment `since`.
template <class HoldOffs>
Millis hold_off_left(const HoldOffs& hold_offs, const Applicant& start, Instant now) {
  Millis left{0};
  for (const auto& each : hold_offs) {
    const bool concerned =
        each.session == start.session || (!start.device.empty() && each.device == start.device);
    if (concerned) left = std::max<Millis>(left, each.since + kHoldOff - now);
  }
  return left;
}

namespace detail {

// As many of the oldest as it takes, past those who leave anyway.
template <UserView User>
std::vector<SessionRef> oldest_of(const User& user, std::size_t count, const Admission& leaving) {
  std::vector<SessionRef> oldest;
  for (auto each = user.oldest(); each && oldest.size() < count; each = user.after(*each)) {
    const bool leaves = each == leaving.reconnected || std::ranges::count(leaving.replaced, *each);
    if (!leaves) oldest.push_back(*each);
  }
  return oldest;
}

}  // namespace detail

// Decides about a start of a session that is not active. A reconnect keeps its place, whatever the
// limit; a take-over and the policy evict, unless the start is held off.
template <UserView User>
Admission admit(const Applicant& start, const Terms& terms, const User& user) {
  Admission admission;
  if (!start.device.empty()) admission.reconnected = user.on_device(start.device);
  const std::uint32_t active = user.active();
  // A reconnect brings no session more.
  const bool limited = terms.limit != kUnlimited && !admission.reconnected;
  const bool full = limited && active >= terms.limit;
  if (!start.replaces && !full) return admission;

  const Millis held_off = user.hold_off(start);
  const bool evicts = terms.on_limit == OnLimit::kEvictOldest;
  bool would_help = false;
  if (start.replaces) {
    const std::optional<SessionRef> target = user.named(*start.replaces);
    if (target && target != admission.reconnected) {
      if (held_off == Millis(0)) admission.replaced.push_back(*target);
      would_help = active <= terms.limit;
    }
  }
  const std::size_t staying = active - admission.replaced.size();
  if (!limited || staying < terms.limit) return admission;

  const bool observed = terms.mode == Mode::kObserve;
  if (evicts && held_off == Millis(0)) {
    auto& leaving = observed ? admission.would_evict : admission.evicted;
    leaving = detail::oldest_of(user, staying - terms.limit + 1, admission);
    return admission;
  }
  admission.verdict = observed ? Admission::Verdict::kWouldDeny : Admission::Verdict::kDenied;
  if (held_off > Millis(0) && (would_help || evicts)) admission.held_off = held_off;
  return admission;
}

}  // namespace concur
