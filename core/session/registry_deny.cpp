// The registry's part about saying why: denials, and what would become of a start.
#include "session/registry.hpp"

#include "rules/rule_text.hpp"
#include "session/broken.hpp"
#include "session/held_user.hpp"
#include "session/wording.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// When they are no longer active, if no sign of life comes: one that is let in for a while stays
// then only if another's lease has run out.
std::vector<Instant> ends_of(State& state, const std::vector<SessionRef>& sessions) {
  std::vector<Instant> ends;
  ends.reserve(sessions.size());
  for (const SessionRef each : sessions) ends.push_back(state.session(each).expires());
  if (state.overlaps.empty()) return ends;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const auto over = state.overlap_end(sessions[i]);
    if (!over) continue;
    const auto makes_room = [over](Instant end) { return end <= *over; };
    if (std::ranges::count_if(ends, makes_room) == 0) ends[i] = *over;
  }
  return ends;
}

// The moment when so many of them will have run out.
Instant nth_of(std::vector<Instant> ends, std::uint32_t count) {
  if (ends.empty() || count == 0) return Instant::min();
  const auto at =
      ends.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(count, ends.size()) - 1);
  std::ranges::nth_element(ends, at);
  return *at;
}

// When leases that run out will have made room in it; nothing where none does.
std::optional<Instant> room_from(State& state, const Violation& violation) {
  const auto& [others, values, count, excess] = violation.counted;
  if (excess == kNeverRoom) return std::nullopt;
  const std::vector<Instant> of_sessions = ends_of(state, violation.sessions);
  if (values.empty()) return nth_of(of_sessions, excess);
  std::vector<Instant> ends(count, Instant::min());
  for (std::size_t i = 0; i < of_sessions.size(); ++i) {
    ends[values[i]] = std::max(ends[values[i]], of_sessions[i]);
  }
  return nth_of(std::move(ends), excess);
}

}  // namespace

// Of a start that is one more, or where nothing is violated of one that is active and above the
// limit.
Denied Registry::deny(const Start& start, Slot user, const Terms& terms,
                      const std::vector<Violation>& violations, const Now& now) {
  const UserSlot& owner = state_->user(user);
  const bool is_more = !state_->is_active(state_->table.find_session(user, start.session.text()));
  Denied denied{std::string(start.user.text()),
                std::string(start.session.text()),
                owner.active,
                owner.active + (is_more ? 1 : 0),
                terms.limit,
                {},
                {}};
  denied.counts = terms.counts;
  const std::size_t listed = start.tries ? 0 : kMaxListed;
  const auto list = [&](Slot slot) {
    if (denied.sessions.size() < listed) state_->append_info(denied.sessions, slot, now);
  };
  if (!terms.look_at_attributes() || violations.empty()) {
    denied.sessions.reserve(std::min<std::size_t>(owner.active, listed));
    std::vector<SessionRef> counted;
    counted.reserve(owner.active);
    for (Slot slot = owner.head; slot != kNoSlot; slot = state_->session(slot).next) {
      counted.push_back(slot);
      list(slot);
    }
    const bool some_leave = !violations.empty() && !violations.front().sessions.empty();
    if (some_leave) counted = violations.front().sessions;
    const std::uint32_t excess =
        violations.empty() ? owner.active - terms.limit : violations.front().counted.excess;
    denied.retry_after = nth_of(ends_of(*state_, counted), excess) - now.instant;
    denied.message = denial_text(policy_.denial, denied);
    return denied;
  }
  const Violation& first = violations.front();
  if (first.rule().kind != Rule::Kind::kForbid) denied.limit = first.in_force.max;
  for (const SessionRef each : first.sessions) list(each);
  std::optional<Instant> room = now.instant;
  for (const Violation& each : violations) {
    const auto from = room_from(*state_, each);
    room = room && from ? std::optional(std::max(*room, *from)) : std::nullopt;
  }
  if (room) denied.retry_after = *room - now.instant;
  denied.broken = broken_of(violations);
  denied.message = denial_text(policy_.denial, denied);
  return denied;
}

Answer Registry::decide(const Explain& explain, const Now& now) {
  const Slot user = state_->table.find_user(explain.user.text());
  Terms terms = concur::terms_of(terms_of(user), {explain.limit, explain.on_limit});
  terms.rules = rules_of(user);
  Explanation said{std::string(explain.user.text()), std::string(explain.session.shown())};
  said.limit = terms.limit;
  said.from = terms.from;
  said.counts = terms.counts;
  if (user != kNoSlot) {
    expire_due(user, now);
    said.active = state_->user(user).active;
    const Slot slot = state_->table.find_session(user, explain.session.text());
    if (state_->is_active(slot)) {
      explain_renewal(explain, slot, terms, said);
      return said;
    }
    said.blocked = state_->blocks.find(user, now.instant) != nullptr;
  }
  if (auto lacking = refuse_lacking(explain)) return std::move(*lacking);
  const HeldUser held(*state_, user, policy_.hold_off, now.instant);
  const Applicant applicant = applicant_of(explain);
  const Admission admission = admit(applicant, terms, held);
  said.would = said.blocked                                       ? Explanation::Would::kBlocked
               : admission.verdict == Admission::Verdict::kDenied ? Explanation::Would::kDeny
               : admission.verdict == Admission::Verdict::kWouldDeny
                   ? Explanation::Would::kStartObserved
                   : Explanation::Would::kStart;
  said.hold_off = admission.held_off;
  said.overlaps = admission.overlaps;
  // Nobody's going helps where a rule forbids.
  const auto never_has_room = [](const Violation& each) {
    return each.counted.excess == kNeverRoom;
  };
  const bool may_wait = explain.wait > Millis(0) && said.would == Explanation::Would::kDeny &&
                        std::ranges::none_of(admission.violations, never_has_room);
  if (may_wait) {
    said.would = Explanation::Would::kWait;
    said.wait = explain.wait;
  }
  const auto name = [this](SessionRef ref) { return state_->session(ref).name.str(); };
  if (admission.reconnected) said.reconnects = name(*admission.reconnected);
  for (const auto* each : {&admission.replaced, &admission.evicted, &admission.would_evict}) {
    for (const SessionRef ref : *each) said.evicts.push_back(name(ref));
  }
  // Counted as it is now, but for the session whose place it takes.
  RuleTally<HeldUser> tally(applicant, terms, held, true);
  if (admission.reconnected) tally.give_place(*admission.reconnected);
  explain_rules(tally.all(), terms, said);
  return said;
}

void Registry::explain_renewal(const Explain& explain, Slot slot, const Terms& terms,
                               Explanation& said) {
  const std::vector<Violation> violations = judge_change(explain, slot, terms);
  said.would = violations.empty() || terms.mode == Mode::kObserve ? Explanation::Would::kRenew
                                                                  : Explanation::Would::kDeny;
  explain_rules(violations, terms, said);
}

// Each rule, with what it counts where it applies.
void Registry::explain_rules(const std::vector<Violation>& applying, const Terms& terms,
                             Explanation& said) {
  std::vector<RuleInForce> all{{&plain_limit_rule(terms.counts), terms.limit}};
  all.insert(all.end(), terms.rules.begin(), terms.rules.end());
  for (const RuleInForce& each : all) {
    const bool is_limit = &each == &all.front();
    RuleExplained rule{each.rule->name, is_limit ? to_text(LimitText{terms.limit, terms.counts})
                                                 : to_text(*each.rule)};
    rule.max = each.rule->kind == Rule::Kind::kForbid ? 0 : each.max;
    rule.on_limit = each.rule->on_limit.value_or(terms.on_limit);
    const auto found = std::ranges::find_if(
        applying, [&each](const Violation& one) { return one.in_force.rule == each.rule; });
    if (found != applying.end()) {
      rule.applies = true;
      rule.count = found->counted.count;
      rule.violated = found->counted.excess > 0;
      rule.by = found->by;
      for (const SessionRef ref : found->sessions) {
        if (rule.sessions.size() == kMaxListed) break;
        rule.sessions.push_back(state_->session(ref).name.str());
      }
    }
    said.rules.push_back(std::move(rule));
  }
}

}  // namespace concur
