// The registry's part about sessions that were let in above the limit for a while.
#include "session/registry.hpp"

#include "session/broken.hpp"
#include "session/held_user.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace concur {

// What a start that is let in so gets: where it takes such a one's place, as much as that had left.
Overlap Registry::overlap_of(const Judged& judged, const Now& now) {
  const auto& [start, terms, admission] = judged;
  Overlap overlap{terms.overlap, start.limit};
  if (admission.overlap_of) {
    const auto ends = state_->overlap_end(*admission.overlap_of);
    if (ends) overlap.length = *ends - now.instant;
  }
  return overlap;
}

// Judged as of the moment when its time was over, whenever somebody looks: so it stays though
// another one's lease ran out a moment before, and goes though one ran out a moment after.
void Registry::settle_overlap(Slot user, const Now& now) {
  if (state_->overlaps.empty() || now.instant < state_->user(user).earliest) return;
  for (Slot slot = state_->user(user).head, next = kNoSlot; slot != kNoSlot; slot = next) {
    next = state_->session(slot).next;
    if (!state_->is_overlap_over(slot, now.instant)) continue;
    const Instant ended = *state_->overlap_end(slot);
    if (state_->session(slot).expires() <= ended) continue;  // it is over anyway
    const Overlap overlap = *state_->overlaps.find(slot);
    Terms terms = concur::terms_of(terms_of(user), {overlap.limit, {}});
    terms.rules = rules_of(user);
    const std::vector<Violation> violations =
        judge_overlap(slot, terms, HeldUser(*state_, user, policy_.hold_off, now.instant),
                      [&](SessionRef each) { return state_->session(each).expires() > ended; });
    if (violations.empty()) {
      stay(slot, terms, now);
    } else {
      refuse(slot, ended, terms, violations, now);
    }
  }
}

// It is a session as any other from now on.
void Registry::stay(Slot slot, const Terms& terms, const Now& now) {
  const SessionSlot& session = state_->session(slot);
  record(session.user,
         std::make_unique<undo::Overlapped>(undo::Overlapped{slot, *state_->overlaps.find(slot)}),
         SetOverlap{session.row});
  state_->end_overlap(slot);
  auto more = std::make_unique<EventMore>(EventMore{details_of(*state_, slot), {}, {}});
  more->provisional = false;
  publish(EventKind::kStarted, session.user, session.name,
          state_->active_at(session.user, now.instant), terms.limit, std::move(more), now);
}

// There is no room for it: it ends, and the next such one has to wait.
void Registry::refuse(Slot slot, Instant ended, const Terms& terms,
                      const std::vector<Violation>& violations, const Now& now) {
  const Slot user = state_->session(slot).user;
  const std::string name = state_->session(slot).name.str();
  const Details details = details_of(*state_, slot);
  const Millis length = std::max(state_->overlaps.find(slot)->length, policy_.overlap);
  const Instant until = ended + kOverlapPause * length;
  // All that have expired by now are left out, as in other events.
  const std::uint32_t active = state_->active_at(user, now.instant) -
                               (state_->session(slot).expires() > now.instant ? 1 : 0);
  Attempt attempt{name, details.device, details.ip, active, terms.limit, Attempt::Outcome::kRefused,
                  true};
  name_rule(attempt, violations);
  take_off(
      slot, SlotState::kDenied, ended,
      std::make_unique<undo::Refused>(undo::Refused{
          user, std::string(attempt.rule), state_->overlaps.refused_until(user, now.instant)}));
  state_->overlaps.refuse(state_->table.keep(user), until);
  auto more = std::make_unique<EventMore>(EventMore{details, {}, {}});
  more->provisional = true;
  more->rule = rule_named(violations);
  publish(EventKind::kDenied, user, PackedText(name), active, limit_named(terms.limit, violations),
          std::move(more), now);
  count_attempt(user, std::move(attempt), now);
}

}  // namespace concur
