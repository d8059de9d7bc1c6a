// The registry's other half: how decisions change the table, are made durable or undone, and the
// tidying up.
#include "session/registry.hpp"

#include <algorithm>
#include <cassert>

namespace concur {

namespace {

// How long and how many ended sessions are remembered, to tell a late heartbeat why.
constexpr Millis kRememberGone = std::chrono::hours(1);
constexpr std::size_t kMostGone = 65'536;

}  // namespace

// --- changing ---

void Registry::set_ttl(SessionSlot& session, Millis ttl) {
  assert(ttl >= kShortestLease && ttl <= kLongestLease);
  session.ttl_ms = static_cast<std::uint32_t>(ttl.count());
  shortest_ = std::min(shortest_, ttl);
}

// Until `earliest` no session of the user can have expired, however many there are: that spares the
// walk.
void Registry::expire_due(Slot user, Instant now) {
  if (now < table_.user(user).earliest) return;
  Instant earliest = Instant::max();
  for (Slot slot = table_.user(user).head; slot != kNoSlot;) {
    const SessionSlot& session = table_.session(slot);
    const Slot next = session.next;
    if (session.expires <= now) {
      remove(slot, SlotState::kExpired, now);
    } else {
      earliest = std::min(earliest, session.expires);
    }
    slot = next;
  }
  table_.user(user).earliest = earliest;
}

void Registry::remove(Slot slot, SlotState why, Instant now) {
  SessionSlot& session = table_.session(slot);
  table_.unlink(slot);
  const std::int64_t expired = session.expires.time_since_epoch().count();
  session.state = why;
  session.expires = now;
  record({Did::kRemoved, slot, expired}, Remove{session.row});
}

void Registry::save(Slot slot) {
  SessionSlot& session = table_.session(slot);
  const std::int64_t unsaved = session.unsaved_ms;
  session.unsaved_ms = 0;
  record({Did::kSaved, slot, unsaved},
         Save{session.row, session.started, session.last_seen(), session.expires, session.ttl()});
}

void Registry::record(Undo undo, Change change) {
  undo_.push_back(undo);
  changes_.push_back(std::move(change));
  // No answer depends on a saved lease, so none waits for it.
  if (undo.did == Did::kSaved) return;
  table_.user(table_.session(undo.slot).user).last_change = last_change();
}

void Registry::confirm(Sequence upto) {
  assert(upto <= last_change());
  for (; confirmed_ < upto; ++confirmed_) {
    if (undo_.front().did == Did::kRemoved) gone_.push_back(undo_.front().slot);
    undo_.pop_front();
  }
}

void Registry::undo() {
  const Sequence settled = last_change();
  for (; !undo_.empty(); undo_.pop_back()) {
    const auto [did, slot, before] = undo_.back();
    SessionSlot& session = table_.session(slot);
    switch (did) {
      case Did::kAdded: {
        const std::string name = session.name.str();
        const Slot user = session.user;
        table_.unlink(slot);
        table_.release(slot);
        table_.remember(static_cast<Slot>(before), user, name);
        break;
      }
      case Did::kRemoved: {
        session.expires = Instant(Millis(before));
        table_.relink(slot);
        UserSlot& owner = table_.user(session.user);
        owner.earliest = std::min(owner.earliest, session.expires);
        break;
      }
      case Did::kSaved:
        session.unsaved_ms += static_cast<std::uint32_t>(before);
        break;
    }
  }
  changes_.clear();
  confirmed_ = settled;
}

// --- tidying up ---

void Registry::sweep(std::uint32_t slots, Millis next_look, const Now& now) {
  const Slot end = table_.end();
  for (std::uint32_t i = 0; i < std::min(slots, end); ++i) {
    if (hand_ >= end) hand_ = 0;
    const Slot slot = hand_++;
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive) continue;
    if (session.expires <= now.instant) {
      remove(slot, SlotState::kExpired, now.instant);
    } else if (session.unsaved_ms > 0) {
      // No unsaved sign of life is older than the saved one; it must be saved within a third of a
      // lease.
      const Instant saved = session.last_seen() - Millis(session.unsaved_ms);
      if (now.instant - saved + next_look >= session.ttl() / 3) save(slot);
    }
  }
  forget_gone(slots, now.instant);
}

void Registry::settle(const Now& now) {
  for (Slot slot = 0; slot < table_.end(); ++slot) {
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive) continue;
    if (session.expires <= now.instant) {
      remove(slot, SlotState::kExpired, now.instant);
    } else if (session.unsaved_ms > 0) {
      save(slot);
    }
  }
}

void Registry::wake(Millis slept, const Now& now) {
  for (Slot slot = 0; slot < table_.end(); ++slot) {
    SessionSlot& session = table_.session(slot);
    const bool was_active =
        session.state == SlotState::kActive && session.expires > now.instant - slept;
    const Instant least = now.instant + heartbeat_interval(session.ttl());
    if (was_active && session.expires < least) session.set_lease(session.last_seen(), least);
  }
}

void Registry::forget_gone(std::uint32_t most, Instant now) {
  for (; most > 0 && !gone_.empty(); --most) {
    const Instant went = table_.session(gone_.front()).expires;
    if (went + kRememberGone > now && gone_.size() <= kMostGone) return;
    table_.release(gone_.front());
    gone_.pop_front();
  }
}

}  // namespace concur
