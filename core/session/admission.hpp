#pragma once

#include "session/tally.hpp"
#include "session/terms.hpp"
#include "session/user_view.hpp"
#include "session/viewer.hpp"

#include <algorithm>
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

  // It is let in for a while, one too many as it is: for as long as the policy says, or as that
  // session had left, whose place it takes.
  bool overlaps = false;
  std::optional<SessionRef> overlap_of{};

  std::optional<Mark> hands{};  // what becomes of the device, or of the viewer known by its address
  bool is_conflict = false;     // two use it at once
  bool begins_fight = false;    // and from now on the device is no reconnect
  std::optional<Millis> held_off{};     // for how long it may not evict, where that is why
  std::vector<Violation> violations{};  // why it is denied, or would be: in the order of the rules

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
// above the limit, by what that counts. One that is let in for a while puts nobody there.
template <UserView User>
bool refuses_legacy_repeat(const Terms& terms, const User& user) {
  if (terms.limit == kUnlimited) return false;
  const std::optional<SessionRef> overlapping = user.overlapping();
  if (!terms.counts) return user.active() - (overlapping ? 1 : 0) > terms.limit;
  std::vector<Other> all;
  for (auto each = user.oldest(); each; each = user.after(*each)) {
    if (each != overlapping) all.push_back({user.attributes(*each)});
  }
  const RuleInForce limit{&plain_limit_rule(terms.counts), terms.limit};
  return !all.empty() && count(limit, all.front().attributes, all).count > terms.limit;
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

// Who makes room, as far as they may be evicted.
struct Choice {
  std::vector<SessionRef> sessions{};
  std::vector<Displaced> displaced{};
  std::vector<SessionRef> own{};
  std::optional<Millis> wait{};  // where they do not suffice because of those who may not: how long
};

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

// Chooses as many as it takes to meet that one. False where they do not suffice.
template <UserView User>
bool choose(const Violation& violation, OnLimit on_limit, const Viewer& viewer, Millis held_off,
            const User& user, RuleTally<User>& tally, Choice& into) {
  std::uint32_t missing = violation.counted.excess;
  std::vector<Millis> waits;
  for (const auto& group : tally.in_order(violation, on_limit == OnLimit::kEvictNewest)) {
    if (missing == 0) break;
    Millis wait{0};
    std::vector<Viewer> theirs;
    for (const SessionRef each : group) {
      theirs.push_back(viewer_of(user, each));
      if (theirs.back() == viewer) continue;
      wait = std::max(wait, std::max<Millis>(held_off, user.protection(theirs.back())));
    }
    if (wait > Millis(0)) {
      waits.push_back(wait);
      continue;
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      tally.leave(group[i]);
      into.sessions.push_back(group[i]);
      if (theirs[i] == viewer) {
        into.own.push_back(group[i]);
      } else {
        into.displaced.push_back({group[i], std::move(theirs[i]), true});
      }
    }
    --missing;
  }
  if (missing > 0 && waits.size() >= missing) into.wait = wait_for(waits, missing);
  return missing == 0;
}

// Chooses who makes room for the start until all that is violated is met. False, with what was
// chosen by then, where that cannot be.
template <UserView User>
bool make_room(std::vector<Violation> violated, const Terms& terms, const Viewer& viewer,
               Millis held_off, const User& user, RuleTally<User>& tally, Choice& into) {
  const auto on_limit = [&terms](const Violation& each) {
    return each.rule().on_limit.value_or(terms.on_limit);
  };
  for (; !violated.empty(); violated = tally.violations()) {
    const bool denied = std::ranges::any_of(violated, [&](const Violation& each) {
      return each.counted.excess == kNeverRoom || on_limit(each) == OnLimit::kDeny;
    });
    if (denied) return false;
    const Violation& first = violated.front();
    if (!choose(first, on_limit(first), viewer, held_off, user, tally, into)) return false;
  }
  return true;
}

// Whether a start that is one too many is let in for a while: not where somebody makes room for it
// at once, nor beside another such one, unless it takes the place of that.
template <UserView User>
bool may_overlap(const std::vector<Violation>& violated, const Terms& terms, const User& user,
                 const Admission& admission) {
  if (terms.overlap == Millis(0) || terms.mode == Mode::kObserve) return false;
  const bool by_one = std::ranges::all_of(violated, [&terms](const Violation& each) {
    const bool counts_sessions =
        each.rule().name == kLimitName || each.rule().kind == Rule::Kind::kSessions;
    return counts_sessions && each.counted.excess == 1 &&
           each.rule().on_limit.value_or(terms.on_limit) != OnLimit::kEvictOldest;
  });
  if (!by_one || user.pauses_overlaps()) return false;
  return !user.overlapping() || admission.overlap_of;
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
// limit, unless the device is fought over, or devices are counted; a take-over and the policy evict
// whom they may, and nobody where that does not admit the start.
template <UserView User>
Admission admit(const Applicant& start, const Terms& terms, const User& user) {
  Admission admission;
  RuleTally<User> tally(start, terms, user);
  if (!start.device.empty() && !tally.counts_devices()) detail::reconnect(start, user, admission);
  if (admission.reconnected) tally.give_place(*admission.reconnected);
  if (admission.reconnected && user.overlapping() == admission.reconnected) {
    admission.overlaps = true;
    admission.overlap_of = admission.reconnected;
  }
  std::vector<Violation> violated = tally.violations();
  if (!start.replaces_any() && violated.empty()) return admission;

  admission.viewer = detail::viewer_of(user, start.session, start.device, start.address);
  const Millis held_off = user.hold_off(admission.viewer);
  bool would_help = false;
  for (const SessionRef target : detail::named_by(start, user, admission)) {
    Viewer theirs = detail::viewer_of(user, target);
    const bool own = theirs == admission.viewer;
    tally.leave(target);
    if (!own && held_off > Millis(0)) {
      would_help = would_help || start.replaces_all || tally.violations().empty();
      tally.stay(target);
      continue;
    }
    admission.replaced.push_back(target);
    if (user.overlapping() == target) admission.overlap_of = target;
    if (!own) admission.displaced.push_back({target, std::move(theirs), false});
  }
  if (!admission.replaced.empty()) violated = tally.violations();
  if (violated.empty()) return admission;
  if (detail::may_overlap(violated, terms, user, admission)) {
    admission.overlaps = true;
    return admission;
  }

  const bool observed = terms.mode == Mode::kObserve;
  detail::Choice choice;
  const bool has_room =
      detail::make_room(violated, terms, admission.viewer, held_off, user, tally, choice);
  if (has_room && observed) {
    admission.would_evict = std::move(choice.sessions);
    admission.would_displace = !choice.displaced.empty();
    return admission;
  }
  if (has_room) {
    admission.evicted = std::move(choice.sessions);
    for (Displaced& each : choice.displaced) admission.displaced.push_back(std::move(each));
    detail::zap(start, user, std::move(choice.own), admission);
    return admission;
  }
  admission.held_off = choice.wait;
  admission.verdict = observed ? Admission::Verdict::kWouldDeny : Admission::Verdict::kDenied;
  if (would_help) admission.held_off = held_off;
  admission.violations = std::move(violated);
  return admission;
}

namespace detail {

// Which of the limit and the rules have no room for one of the user's sessions with these
// attributes, beside the others that are looked at; of those alone that `concerns` names.
template <UserView User, class Concerns, class LooksAt>
std::vector<Violation> violations_of(SessionRef session, const Attributes& attributes,
                                     const Terms& terms, const User& user, const Concerns& concerns,
                                     const LooksAt& looks_at) {
  std::vector<SessionRef> refs;
  std::vector<Other> others;
  for (auto each = user.oldest(); each; each = user.after(*each)) {
    if (*each == session || !looks_at(*each)) continue;
    refs.push_back(*each);
    others.push_back({user.attributes(*each)});
  }
  std::vector<Violation> violations;
  const auto judge = [&](const RuleInForce& in_force) {
    if (!concerns(*in_force.rule)) return;
    Counted counted = count(in_force, attributes, others);
    if (counted.excess == 0) return;
    Violation violation{
        in_force, std::move(counted), {}, counted_together(*in_force.rule, attributes)};
    for (const std::uint32_t i : violation.counted.others) violation.sessions.push_back(refs[i]);
    violations.push_back(std::move(violation));
  };
  judge({&plain_limit_rule(terms.counts), terms.limit});
  for (const RuleInForce& each : terms.rules) judge(each);
  return violations;
}

}  // namespace detail

// What has no room for an active session that is given other content or meta: of what newly applies
// to it, or counts it otherwise than before. Its address, which it cannot help, changes nothing.
template <UserView User>
std::vector<Violation> judge_renewal(SessionRef session, const Attributes& before,
                                     const Attributes& after, const Terms& terms,
                                     const User& user) {
  const auto applies_newly = [&](const Rule& rule) { return applies_anew(rule, before, after); };
  return detail::violations_of(session, after, terms, user, applies_newly,
                               [](SessionRef) { return true; });
}

// What has no room for a session that was let in for a while, now that this is over; those others
// count for whom `was_active` holds.
template <UserView User, class WasActive>
std::vector<Violation> judge_overlap(SessionRef session, const Terms& terms, const User& user,
                                     const WasActive& was_active) {
  if (terms.mode == Mode::kObserve) return {};
  const Attributes attributes = user.attributes(session);
  const auto concerns = [&](const Rule& rule) { return applies(rule, attributes); };
  return detail::violations_of(session, attributes, terms, user, concerns, was_active);
}

}  // namespace concur
