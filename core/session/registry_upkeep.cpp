// The registry's part about what nobody asks for: saving leases, ending and forgetting what is
// over, handing over the record of who shares.
#include "session/registry.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace concur {

void Registry::set_ttl(SessionSlot& session, Millis ttl) {
  assert(ttl >= kMinLease && ttl <= kMaxLease);
  session.ttl_ms = static_cast<std::uint32_t>(ttl.count());
  shortest_ = std::min(shortest_, ttl);
}

// No answer depends on a saved lease, so none waits for it.
void Registry::save(Slot slot, Millis ttl_before) {
  SessionSlot& session = state_->session(slot);
  const std::uint32_t unsaved = std::exchange(session.unsaved_ms, 0);
  record(kNoSlot, undo::Saved{slot, unsaved, static_cast<std::uint32_t>(ttl_before.count())},
         Save{session.row, session.started(), session.last_seen(), session.expires(), session.ttl(),
              session.start});
}

void Registry::forget_gone(std::uint32_t most, const Now& now) {
  state_->forget_gone(most, now.instant);
  for (const GoneRange& each : state_->take_dropped_rows()) {
    record(kNoSlot, undo::Dropped{each}, DropGone{each.first, each.last});
  }
}

// A round among users takes as long as one among sessions; of many who have none, longer.
void Registry::count_users_at_limit(std::uint32_t slots) {
  constexpr std::uint64_t kMost = 1024;
  const Slot end = state_->table.users_end();
  const std::uint64_t sessions = std::max<std::uint64_t>(state_->table.end(), 1);
  const std::uint64_t due = std::uint64_t{slots} * end / sessions + 1;
  for (std::uint64_t left = std::min(due, kMost); left > 0 && user_hand_ < end; --left) {
    const Slot user = user_hand_++;
    const std::uint32_t active = state_->user(user).active;
    if (active == 0) continue;
    const std::uint32_t limit = terms_of(user).limit;
    if (limit != kUnlimited && active >= limit) ++met_at_limit_;
  }
  if (user_hand_ < end) return;
  user_hand_ = 0;
  users_at_limit_ = std::exchange(met_at_limit_, 0);
}

std::optional<std::uint64_t> Registry::users_at_limit() const {
  if (policy_.counts) return std::nullopt;
  return users_at_limit_;
}

void Registry::sweep(std::uint32_t slots, Millis next_look, const Now& now) {
  State& state = *state_;
  const Slot end = state.table.end();
  for (std::uint32_t i = 0; i < std::min(slots, end); ++i) {
    if (hand_ >= end) hand_ = 0;
    const Slot slot = hand_++;
    const SessionSlot& session = state.session_in_round(slot);
    if (session.state == SlotState::kActive && session.expires() <= now.instant) {
      settle_overlap(session.user, now);
    }
    if (session.state != SlotState::kActive) continue;
    if (session.expires() <= now.instant) {
      // Not the user's others: in the order of slots, which is mostly that of rows, neighbours in
      // the store go together.
      remove(slot, SlotState::kExpired, state.active_at(session.user, now.instant), now);
    } else if (session.unsaved_ms > 0) {
      // No unsaved sign of life is older than the saved one; it must be saved within a third of a
      // lease.
      const Instant saved = session.last_seen() - Millis(session.unsaved_ms);
      if (now.instant - saved + next_look >= session.ttl() / 3) save(slot, session.ttl());
    }
  }
  count_users_at_limit(slots);
  forget_gone(slots, now);
  for (std::uint32_t i = 0; i < slots; ++i) {
    const auto dropped = state.hold_offs.drop_over(policy_.hold_off, now.instant);
    if (!dropped) break;
    record(kNoSlot, undo::Forgotten{}, DropHoldOff{*dropped});
  }
  for (std::uint32_t i = 0; i < slots; ++i) {
    const UserRef user = state.blocks.drop_over(now.instant);
    if (user.slot() == kNoSlot) break;
    record(kNoSlot, undo::Forgotten{}, DropBlock{state.user(user.slot()).name.str()});
  }
  for (std::uint32_t i = 0; i < slots; ++i) {
    const auto due = state.overlaps.take_due(now.instant);
    if (!due) break;
    if (state.is_active(*due)) expire_due(state.session(*due).user, now);
  }
  for (std::uint32_t i = 0; i < slots && state.overlaps.drop_over(now.instant); ++i) {
  }
  state.replaced.drop_over(slots, policy_.hold_off, now.instant);
  flush_usage(slots, false, now);
}

bool Registry::save_some(SaveCursor& cursor, std::uint32_t slots, const Now& now) {
  const Slot end = state_->table.end();
  const Slot stop = cursor.next + std::min(slots, end - cursor.next);
  for (; cursor.next < stop; ++cursor.next) {
    const SessionSlot& session = state_->session(cursor.next);
    if (session.state != SlotState::kActive) continue;
    if (session.expires() <= now.instant) {
      expire_due(session.user, now);
    } else if (session.unsaved_ms > 0) {
      save(cursor.next, session.ttl());
    }
  }
  if (cursor.next < end) return true;
  // Each once: whoever still wants to watch stays in the record.
  if (!cursor.parts) cursor.parts = state_->usage.size();
  const std::size_t parts = std::min<std::size_t>(*cursor.parts, slots);
  flush_usage(parts, true, now);
  *cursor.parts -= parts;
  return *cursor.parts > 0;
}

void Registry::flush_usage(std::size_t most, bool all, const Now& now) {
  for (; most > 0; --most) {
    auto part = state_->usage.take(now, all);
    if (!part) return;
    if (!part->usage.empty()) add_usage(std::move(*part), now);
  }
}

// The part's user is kept until it is stored, for it may come back.
void Registry::add_usage(UsageRecord::Part part, const Now& now) {
  AddUsage change{state_->user(part.user.slot()).name.str(), part.usage};
  record(kNoSlot, std::make_unique<undo::Recorded>(undo::Recorded{std::move(part), now}),
         std::move(change));
}

}  // namespace concur
