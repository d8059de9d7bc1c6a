#include "session/take_overs.hpp"

#include <string>
#include <utility>

namespace concur {

void TakeOvers::hold_off(const Displaced& displaced) {
  if (hold_off_ == Millis(0)) return;
  const SessionSlot& session = state_.session(displaced.session);
  put_mark(session.user, Mark::kHeldOff, session.row, displaced.viewer, false);
}

void TakeOvers::protect(Slot user, const Viewer& viewer) {
  if (hold_off_ == Millis(0)) return;
  put_mark(user, Mark::kProtected, next_row_++, viewer, false);
}

void TakeOvers::change_hands(Slot user, const Start& start, const Admission& admission) {
  const Viewer device{.session = std::string(start.session.text()), .device = start.details.device};
  put_mark(user, *admission.hands, next_row_++, admission.reconnected ? device : admission.viewer,
           admission.is_conflict);
}

void TakeOvers::remember_replaced(Slot slot, const Viewer& viewer) {
  if (hold_off_ == Millis(0)) return;
  const SessionSlot& session = state_.session(slot);
  const Details* details = state_.table.details(slot);
  const bool by_device = viewer.kind() == Viewer::Kind::kDevice && details != nullptr;
  state_.replaced.add(state_.user(session.user).name.str(), viewer, session.name.str(),
                      by_device ? details->ip : std::string(), changes_.last(), now_.instant);
}

void TakeOvers::remember_zapping(Slot slot, const Viewer& viewer) {
  EvictedBy by = *state_.table.evicted_by(slot);
  by.same_address = true;
  state_.table.set_evicted_by(slot, std::move(by));
  remember_replaced(slot, viewer);
}

bool TakeOvers::plays_on(Slot slot) {
  const EvictedBy* known = state_.table.evicted_by(slot);
  if (known == nullptr || !known->same_address) return false;
  const Millis since = now_.instant - state_.session(slot).expires();
  if (since < kPlaysOn || since >= hold_off_) return false;
  EvictedBy by = *known;
  by.same_address = false;
  state_.table.set_evicted_by(slot, std::move(by));
  return true;
}

void TakeOvers::put_mark(Slot user, Mark mark, std::int64_t row, const Viewer& viewer,
                         bool conflict) {
  HoldOffRow stored{row,
                    state_.user(user).name.str(),
                    viewer.session,
                    viewer.device,
                    now_.instant,
                    viewer.network,
                    mark};
  const auto dropped = state_.hold_offs.add(state_.table.keep(user), mark_of(stored, now_.instant));
  changes_.add(state_, user, undo::HeldOff{user, row, conflict}, PutHoldOff{std::move(stored)});
  if (dropped) changes_.add(undo::Forgotten{}, DropHoldOff{*dropped});
}

}  // namespace concur
