#pragma once

#include "session/terms.hpp"
#include "session/viewer.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  std::string_view address{};                  // empty for none
  bool replaces_all = false;                   // all others are to make room

  bool replaces_any() const { return replaces || replaces_all; }
};

// The part of a session that the rules look at.
struct Described {
  std::string session;
  std::string device{};
  std::string address{};
};

// One user's state at the moment of the start, without what has expired by then. A rule that needs
// to know more of a session or a user adds a question here; what no rule that holds asks for costs
// nothing.
template <class T>
concept UserView = requires(const T& user, const Applicant& start, const Viewer& viewer,
                            SessionRef session) {
  { user.active() } -> std::convertible_to<std::uint32_t>;
  // Active ones, if there are such. Of several on the start's device, while it is fought over,
  // the first from the start's network, else the first.
  { user.on_device(start) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.named(start.session) } -> std::convertible_to<std::optional<SessionRef>>;
  // In the order of their starts.
  { user.oldest() } -> std::convertible_to<std::optional<SessionRef>>;
  { user.after(session) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.newest() } -> std::convertible_to<std::optional<SessionRef>>;
  { user.before(session) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.described(session) } -> std::convertible_to<Described>;
  // See hold_off_left(), protection_left() and hands_of().
  { user.hold_off(viewer) } -> std::convertible_to<Millis>;
  { user.protection(viewer) } -> std::convertible_to<Millis>;
  { user.hands(viewer) } -> std::convertible_to<Hands>;
  // Whether the start's name, or its address, was replaced or evicted by that viewer itself
  // within hold-off.
  { user.comes_back(start, viewer) } -> std::convertible_to<bool>;
};

// A session that makes room for another viewer's start.
struct Displaced {
  SessionRef session;
  Viewer viewer;
  bool for_limit = false;  // else it was to be replaced
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
  std::vector<SessionRef> replaced{};       // named by the start, or all of them
  std::vector<SessionRef> evicted{};        // to meet the limit, as the policy orders them
  std::vector<SessionRef> would_evict{};    // observed: they stay

  // Of those who are replaced or evicted, the ones of other viewers: these are held off, and the
  // start's is protected.
  std::vector<Displaced> displaced{};
  bool would_displace = false;               // observed: there are such among would_evict
  Viewer viewer{};                           // the start's, where anybody makes room
  std::vector<SessionRef> own_by_address{};  // of those evicted, where the viewer is known by that

  std::optional<Mark> hands{};  // what becomes of the device, or of the viewer known by its address
  bool is_conflict = false;     // two use it at once
  bool begins_fight = false;    // and from now on the device is no reconnect
  std::optional<Millis> held_off{};  // for how long it may not evict, where that is why

  bool moves_somebody() const {
    return reconnected || !replaced.empty() || !evicted.empty() || !would_evict.empty();
  }
};

// How many sessions leave.
inline std::size_t leaving(const Admission& admission) {
  return admission.replaced.size() + admission.evicted.size() + (admission.reconnected ? 1 : 0);
}

// How many sessions of other viewers make room, as the record of who shares counts them: observed,
// nobody left, so that all but one of those who would make room do so for an earlier start.
inline std::uint32_t evictions_of(const Admission& admission) {
  return static_cast<std::uint32_t>(admission.displaced.size() +
                                    (admission.would_displace ? 1 : 0));
}

// A start renews a session that is active already. The legacy API refuses that while the user is
// above the limit.
inline bool refuses_legacy_repeat(const Terms& terms, std::uint32_t active) {
  return terms.limit != kUnlimited && active > terms.limit;
}

namespace detail {

template <UserView User>
Viewer viewer_of(const User& user, std::string_view session, std::string_view device,
                 std::string_view address) {
  const bool fought_over =
      !device.empty() && user.hands(Viewer{.device = std::string(device)}).are_fought_over();
  return concur::viewer_of(session, fought_over ? std::string_view() : device, address);
}

template <UserView User>
Viewer viewer_of(const User& user, SessionRef session) {
  const Described known = user.described(session);
  return viewer_of(user, known.session, known.device, known.address);
}

// The session on the start's device makes room, unless the device is fought over.
template <UserView User>
void reconnect(const Applicant& start, const User& user, Admission& admission) {
  const std::optional<SessionRef> there = user.on_device(start);
  if (!there) return;
  const Viewer device{.device = std::string(start.device)};
  const Hands hands = user.hands(device);
  if (hands.are_fought_over()) return;
  admission.reconnected = there;
  if (!user.comes_back(start, device)) return;
  if (same_network(start.address, user.described(*there).address)) return;
  admission.hands = hands.next();
  admission.is_conflict = true;
  admission.begins_fight = hands.begins_fight();
}

// Who makes room to meet the limit, as far as they may be evicted.
struct Choice {
  std::vector<SessionRef> sessions{};
  std::vector<Displaced> displaced{};
  std::vector<SessionRef> own{};
  std::vector<Millis> waits{};  // of those who may not: for how long
};

// As many as it takes, past those who leave anyway.
template <UserView User>
Choice choose(const User& user, std::size_t count, const Admission& leaving, OnLimit on_limit,
              Millis held_off) {
  const bool newest = on_limit == OnLimit::kEvictNewest;
  Choice choice;
  for (auto each = newest ? user.newest() : user.oldest(); each && choice.sessions.size() < count;
       each = newest ? user.before(*each) : user.after(*each)) {
    if (each == leaving.reconnected || std::ranges::count(leaving.replaced, *each) > 0) continue;
    Viewer viewer = viewer_of(user, *each);
    const bool own = viewer == leaving.viewer;
    const Millis wait = own ? Millis(0) : std::max<Millis>(held_off, user.protection(viewer));
    if (wait > Millis(0)) {
      choice.waits.push_back(wait);
      continue;
    }
    choice.sessions.push_back(*each);
    if (own) {
      choice.own.push_back(*each);
    } else {
      choice.displaced.push_back({*each, std::move(viewer), true});
    }
  }
  return choice;
}

// Whom the start names to make room, but for one that leaves anyway.
template <UserView User>
std::vector<SessionRef> named_by(const Applicant& start, const User& user,
                                 const Admission& admission) {
  std::vector<SessionRef> named;
  if (start.replaces_all && user.active() > 0) {
    for (auto each = user.oldest(); each; each = user.after(*each)) named.push_back(*each);
  } else if (start.replaces) {
    if (const auto one = user.named(*start.replaces)) named.push_back(*one);
  }
  if (admission.reconnected) std::erase(named, *admission.reconnected);
  return named;
}

// Until that many more may be evicted.
inline Millis wait_for(std::vector<Millis>& waits, std::size_t count) {
  const auto last = waits.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::ranges::nth_element(waits, last);
  return *last;
}

// A viewer known by its address evicts itself: where it comes back and back, two share it.
template <UserView User>
void zap(const Applicant& start, const User& user, std::vector<SessionRef> own,
         Admission& admission) {
  if (own.empty() || admission.viewer.kind() != Viewer::Kind::kAddress) return;
  admission.own_by_address = std::move(own);
  if (!user.comes_back(start, admission.viewer)) return;
  const Hands hands = user.hands(admission.viewer);
  admission.hands = hands.next();
  admission.is_conflict = hands.are_fought_over();
}

}  // namespace detail

// Decides about a start of a session that is not active. A reconnect keeps its place, whatever the
// limit, unless the device is fought over; a take-over and the policy evict whom they may.
template <UserView User>
Admission admit(const Applicant& start, const Terms& terms, const User& user) {
  Admission admission;
  if (!start.device.empty()) detail::reconnect(start, user, admission);
  const std::uint32_t active = user.active();
  // A reconnect brings no session more.
  const bool limited = terms.limit != kUnlimited && !admission.reconnected;
  const bool full = limited && active >= terms.limit;
  if (!start.replaces_any() && !full) return admission;

  admission.viewer = detail::viewer_of(user, start.session, start.device, start.address);
  const Millis held_off = user.hold_off(admission.viewer);
  bool would_help = false;
  for (const SessionRef target : detail::named_by(start, user, admission)) {
    Viewer theirs = detail::viewer_of(user, target);
    const bool own = theirs == admission.viewer;
    const bool is_held_off = !own && held_off > Millis(0);
    would_help = would_help || (is_held_off && (start.replaces_all || active <= terms.limit));
    if (is_held_off) continue;
    admission.replaced.push_back(target);
    if (!own) admission.displaced.push_back({target, std::move(theirs), false});
  }
  const std::size_t staying = active - admission.replaced.size();
  if (!limited || staying < terms.limit) return admission;

  const bool observed = terms.mode == Mode::kObserve;
  const bool evicts = terms.on_limit != OnLimit::kDeny;
  if (evicts) {
    const std::size_t count = staying - terms.limit + 1;
    auto choice = detail::choose(user, count, admission, terms.on_limit, held_off);
    if (choice.sessions.size() == count && observed) {
      admission.would_evict = std::move(choice.sessions);
      admission.would_displace = !choice.displaced.empty();
      return admission;
    }
    if (choice.sessions.size() == count) {
      admission.evicted = std::move(choice.sessions);
      for (Displaced& each : choice.displaced) admission.displaced.push_back(std::move(each));
      detail::zap(start, user, std::move(choice.own), admission);
      return admission;
    }
    admission.held_off = detail::wait_for(choice.waits, count - choice.sessions.size());
  }
  admission.verdict = observed ? Admission::Verdict::kWouldDeny : Admission::Verdict::kDenied;
  if (would_help) admission.held_off = held_off;
  return admission;
}

}  // namespace concur
