#include "session/undo.hpp"

#include "session/state.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace concur::undo {

void Started::on_durable(State& state) const {
  if (gone.slot != kNoSlot) state.replace_gone(gone);
}

void Started::roll_back(State& state) const {
  const std::string name = state.session(slot).name.str();
  const Slot user = state.session(slot).user;
  state.usage.uncount_start(user);
  state.throttle.take_back(state.user(user).name.str());
  state.end_overlap(slot);
  state.unlink(slot);
  state.table.release(slot);
  if (gone.slot == kNoSlot || !state.session(gone.slot).is_gone_as(gone.number)) return;
  state.table.remember(gone.slot, user, name);
}

void Removed::on_durable(State& state) const { state.remember_gone(slot); }

void Removed::roll_back(State& state) const {
  SessionSlot& session = state.session(slot);
  session.started_ms = started_ms;
  session.expires_ms = expires_ms;
  state.table.clear_evicted_by(slot);
  state.table.clear_message(slot);
  state.relink(slot);
  UserSlot& owner = state.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  const Overlap* overlap = state.overlaps.find(slot);
  if (overlap != nullptr) state.begin_overlap(slot, Overlap(*overlap));
}

void Refused::roll_back(State& state) const {
  state.overlaps.forget_refusal(user);
  if (before) state.overlaps.refuse(state.table.keep(user), *before);
  state.usage.uncount_denial(user, rule);
}

void Saved::roll_back(State& state) const {
  SessionSlot& session = state.session(slot);
  session.unsaved_ms += unsaved_ms;
  if (session.ttl_ms == ttl_ms) return;
  const Instant seen = session.last_seen();
  session.ttl_ms = ttl_ms;
  state.give_lease(session, seen, seen + session.ttl());
  UserSlot& owner = state.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
}

void Described::roll_back(State& state) { state.table.set_details(slot, std::move(before)); }

void Overlapped::roll_back(State& state) const { state.begin_overlap(slot, before); }

void HeldOff::roll_back(State& state) const {
  if (conflict) state.usage.uncount_conflict(user);
  state.hold_offs.remove_latest(user, row);
}

void Dropped::roll_back(State& state) const { state.drop_rows(gone); }

void Ruled::roll_back(State& state) { state.set_rule(user.slot(), before, std::move(numbers)); }

void Blocked::roll_back(State& state) { state.blocks.put(user.another(), std::move(before)); }

void Planned::roll_back(State& state) { state.plans.put_back(plan, std::move(before)); }

void Recorded::roll_back(State& state) { state.usage.put_back(std::move(part), now); }

}  // namespace concur::undo
