// The registry's last part: how decisions change the table, are made durable or undone, and the
// tidying up.
#include "session/registry.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace concur {

namespace {

// How long and how many ended sessions are remembered, to tell a late heartbeat why.
constexpr Millis kRememberGone = std::chrono::hours(1);
constexpr std::size_t kMostGone = 65'536;
constexpr std::size_t kMostEventsWaiting = 65'536;

EventKind event_of(SlotState why) {
  switch (why) {
    case SlotState::kExpired:
      return EventKind::kExpired;
    case SlotState::kEvicted:
      return EventKind::kEvicted;
    case SlotState::kPurged:
      return EventKind::kPurged;
    case SlotState::kFree:
    case SlotState::kActive:
    case SlotState::kEnded:
      break;
  }
  return EventKind::kEnded;
}

}  // namespace

// --- changing ---

void Registry::set_ttl(SessionSlot& session, Millis ttl) {
  assert(ttl >= kMinLease && ttl <= kMaxLease);
  session.ttl_ms = static_cast<std::uint32_t>(ttl.count());
  shortest_ = std::min(shortest_, ttl);
}

// Until `earliest` no session of the user can have expired, however many there are: that spares the
// walk. None of those that have is active any more, whichever of them is told of first.
void Registry::expire_due(Slot user, const Now& now) {
  if (now.instant < table_.user(user).earliest) return;
  const std::uint32_t active = active_at(user, now.instant);
  if (active == table_.user(user).active) return;
  Instant earliest = Instant::max();
  for (Slot slot = table_.user(user).head; slot != kNoSlot;) {
    const SessionSlot& session = table_.session(slot);
    const Slot next = session.next;
    if (session.expires() <= now.instant) {
      remove(slot, SlotState::kExpired, active, now);
    } else {
      earliest = std::min(earliest, session.expires());
    }
    slot = next;
  }
  table_.user(user).earliest = earliest;
}

// None of the user's other sessions has expired, unseen.
void Registry::remove(Slot slot, SlotState why, const Now& now) {
  remove(slot, why, table_.user(table_.session(slot).user).active - 1, now);
}

void Registry::remove(Slot slot, SlotState why, std::uint32_t active, const Now& now) {
  SessionSlot& session = table_.session(slot);
  table_.unlink(slot);
  const Instant expired = session.expires();
  session.state = why;
  session.set_expires(now.instant);
  record(session.user, Removed{slot, expired}, Remove{session.row});
  std::unique_ptr<EventMore> more;
  if (const EvictedBy* by = table_.evicted_by(slot)) {
    more = std::make_unique<EventMore>(EventMore{{}, *by, {}});
  }
  tell(event_of(why), session.user, session.name, active, 0, std::move(more), now);
}

// No answer depends on a saved lease, so none waits for it.
void Registry::save(Slot slot) { save(slot, table_.session(slot).ttl()); }

void Registry::save(Slot slot, Millis ttl_before) {
  SessionSlot& session = table_.session(slot);
  const std::uint32_t unsaved = std::exchange(session.unsaved_ms, 0);
  record(
      kNoSlot, Saved{slot, unsaved, static_cast<std::uint32_t>(ttl_before.count())},
      Save{session.row, session.started(), session.last_seen(), session.expires(), session.ttl()});
}

void Registry::hold_off(Slot slot, const Now& now) {
  const SessionSlot& session = table_.session(slot);
  const Slot user = session.user;
  const std::string name = table_.user(user).name.str();
  const Details* details = table_.details(slot);
  const std::string device = details != nullptr ? details->device : std::string();
  table_.hold_user(name);
  const auto dropped =
      hold_offs_.add(user, {session.row, session.name.copy(), PackedText(device), now.instant});
  record(user, HeldOff{user, session.row},
         PutHoldOff{{session.row, name, session.name.str(), device, now.instant}});
  if (dropped) drop_hold_off(*dropped);
}

void Registry::drop_hold_off(const HoldOffs::Dropped& dropped) {
  record(kNoSlot, Forgot{}, DropHoldOff{dropped.row});
  table_.let_go(dropped.user);
}

// --- making durable, or undoing ---

// As many are likely to follow.
std::vector<Change> Registry::take_changes() {
  std::vector<Change> taken;
  taken.reserve(changes_.size());
  taken.swap(changes_);
  return taken;
}

void Registry::confirm(Sequence upto) {
  assert(upto <= last_change());
  for (; confirmed_ < upto; ++confirmed_) {
    std::visit([this](const auto& undo) { settle_change(undo); }, undo_.front());
    undo_.pop_front();
  }
}

void Registry::settle_change(const Removed& removed) {
  gone_.push_back(removed.slot);
  if (gone_.size() > kMostGone) forget_oldest_gone();
}

void Registry::undo() {
  std::erase_if(events_, [this](const Event& event) { return event.waits_for > confirmed_; });
  const Sequence settled = last_change();
  for (; !undo_.empty(); undo_.pop_back()) {
    std::visit([this](const auto& undo) { take_back(undo); }, undo_.back());
  }
  changes_.clear();
  confirmed_ = settled;
}

void Registry::take_back(const Added& added) {
  const std::string name = table_.session(added.slot).name.str();
  const Slot user = table_.session(added.slot).user;
  usage_.uncount_start(user);
  table_.unlink(added.slot);
  table_.release(added.slot);
  table_.remember(added.gone, user, name);
}

void Registry::take_back(const Removed& removed) {
  SessionSlot& session = table_.session(removed.slot);
  session.set_expires(removed.expires);
  table_.clear_evicted_by(removed.slot);
  table_.relink(removed.slot);
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
}

void Registry::take_back(const Saved& saved) {
  SessionSlot& session = table_.session(saved.slot);
  session.unsaved_ms += saved.unsaved_ms;
  if (session.ttl_ms == saved.ttl_ms) return;
  const Instant seen = session.last_seen();
  session.ttl_ms = saved.ttl_ms;
  session.set_lease(seen, seen + session.ttl());
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
}

void Registry::take_back(const std::unique_ptr<Described>& described) {
  table_.set_details(described->slot, std::move(described->before));
}

void Registry::take_back(const HeldOff& held) {
  if (hold_offs_.take_back(held.user, held.row)) table_.let_go(held.user);
}

void Registry::take_back(const Ruled& ruled) {
  const bool was_held = !ruled.before.empty();
  set_rule(ruled.user, ruled.before);
  if (!was_held) table_.let_go(ruled.user);
}

void Registry::take_back(const std::unique_ptr<Counted>& counted) {
  const Slot user = counted->part.user;
  bool added = false;
  usage_.put_back(std::move(counted->part), counted->now, added);
  if (!added) table_.let_go(user);
}

void Registry::take_back(const std::unique_ptr<Planned>& planned) {
  plans_.put_back(planned->plan, std::move(planned->before));
}

// --- tidying up ---

void Registry::sweep(std::uint32_t slots, Millis next_look, const Now& now) {
  const Slot end = table_.end();
  for (std::uint32_t i = 0; i < std::min(slots, end); ++i) {
    if (hand_ >= end) hand_ = 0;
    const Slot slot = hand_++;
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive) continue;
    if (session.expires() <= now.instant) {
      // Not the user's others: in the order of slots, which is mostly that of rows, neighbours in
      // the store go together.
      remove(slot, SlotState::kExpired, active_at(session.user, now.instant), now);
    } else if (session.unsaved_ms > 0) {
      // No unsaved sign of life is older than the saved one; it must be saved within a third of a
      // lease.
      const Instant saved = session.last_seen() - Millis(session.unsaved_ms);
      if (now.instant - saved + next_look >= session.ttl() / 3) save(slot);
    }
  }
  forget_gone(slots, now.instant);
  forget_hold_offs(slots, now.instant);
  forget_usage(slots, false, now);
}

void Registry::settle(const Now& now) {
  for (Slot slot = 0; slot < table_.end(); ++slot) {
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive) continue;
    if (session.expires() <= now.instant) {
      expire_due(session.user, now);
    } else if (session.unsaved_ms > 0) {
      save(slot);
    }
  }
  flush_usage(usage_.size(), now);
}

bool Registry::flush_usage(std::size_t most, const Now& now) {
  const std::size_t parts = usage_.size();
  forget_usage(std::min(parts, most), true, now);
  return parts > most;
}

void Registry::wake(Millis slept, const Now& now) {
  for (Slot slot = 0; slot < table_.end(); ++slot) {
    SessionSlot& session = table_.session(slot);
    const bool was_active =
        session.state == SlotState::kActive && session.expires() > now.instant - slept;
    const Instant least = now.instant + heartbeat_interval(session.ttl());
    if (was_active && session.expires() < least) session.set_lease(session.last_seen(), least);
  }
}

void Registry::forget_gone(std::uint32_t most, Instant now) {
  for (; most > 0 && !gone_.empty(); --most) {
    const Instant went = table_.session(gone_.front()).expires();
    if (went + kRememberGone > now) return;
    forget_oldest_gone();
  }
}

void Registry::forget_oldest_gone() {
  table_.release(gone_.front());
  gone_.pop_front();
}

void Registry::forget_hold_offs(std::uint32_t most, Instant now) {
  for (; most > 0; --most) {
    const auto dropped = hold_offs_.drop_over(now);
    if (!dropped) return;
    drop_hold_off(*dropped);
  }
}

void Registry::forget_usage(std::size_t most, bool all, const Now& now) {
  for (; most > 0; --most) {
    bool gone = false;
    auto part = usage_.take(now, all, gone);
    if (!part) return;
    const Slot user = part->user;
    if (!part->usage.empty()) add_usage(std::move(*part), now);
    if (gone) table_.let_go(user);
  }
}

// The user is held until the part is stored, for it may come back.
void Registry::add_usage(UsageRecord::Part part, const Now& now) {
  table_.hold(part.user);
  AddUsage change{table_.user(part.user).name.str(), part.usage};
  record(kNoSlot, std::make_unique<Counted>(Counted{std::move(part), now}), std::move(change));
}

// --- telling ---

void Registry::tell(EventKind kind, Slot user, const PackedText& session, std::uint32_t active,
                    std::uint32_t limit, std::unique_ptr<EventMore> more, const Now& now) {
  // While a commit hangs, what needs no commit goes on; of that no more is kept than can be read.
  const bool is_change = kind != EventKind::kRenewed && kind != EventKind::kDenied;
  if (!is_change && events_.size() >= kMostEventsWaiting) return;
  Event event;
  event.kind = kind;
  event.active = active;
  event.limit = limit;
  event.user = table_.user(user).name.copy();
  event.session = session.copy();
  event.at = now.wall();
  event.waits_for = last_change_of(user);
  event.more = std::move(more);
  events_.push_back(std::move(event));
}

void Registry::tell_denied(const Start& start, Slot user, std::uint32_t limit, const Now& now) {
  std::unique_ptr<EventMore> more;
  if (!start.details.empty()) more = std::make_unique<EventMore>(EventMore{start.details, {}, {}});
  const std::size_t before = events_.size();
  tell(EventKind::kDenied, user, PackedText(start.session.text()), table_.user(user).active, limit,
       std::move(more), now);
  if (events_.size() > before) events_.back().would_deny = policy_.mode == Mode::kObserve;
}

void Registry::tell_limit(std::string_view user, std::string_view plan, std::uint32_t limit,
                          bool removed, const Now& now) {
  Event event;
  event.kind = EventKind::kLimitChanged;
  event.removed = removed;
  event.limit = limit;
  event.user = PackedText(user);
  event.at = now.wall();
  // The daemon's own default is no change to store.
  event.waits_for = user.empty() && plan.empty() ? 0 : last_change();
  if (!plan.empty()) {
    event.more = std::make_unique<EventMore>(EventMore{{}, {}, std::string(plan)});
  }
  events_.push_back(std::move(event));
}

}  // namespace concur
