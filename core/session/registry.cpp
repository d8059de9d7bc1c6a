#include "session/registry.hpp"

#include <algorithm>
#include <cassert>
#include <optional>

namespace concur {

namespace {

EndReason reason_of(SlotState state) {
  switch (state) {
    case SlotState::kExpired:
      return EndReason::kExpired;
    case SlotState::kEvicted:
      return EndReason::kEvicted;
    case SlotState::kPurged:
      return EndReason::kPurged;
    case SlotState::kFree:
    case SlotState::kActive:
    case SlotState::kEnded:
      break;
  }
  return EndReason::kEnded;
}

std::optional<Id> user_of(const Command& command) {
  return std::visit(
      [](const auto& c) -> std::optional<Id> {
        if constexpr (requires { c.user; }) {
          return c.user;
        } else {
          return std::nullopt;
        }
      },
      command);
}

}  // namespace

Decision Registry::apply(const Command& command, const Now& now) {
  table_.fetch_foreseen();
  Decision decision{std::visit([&](const auto& c) { return decide(c, now); }, command)};
  if (undo_.empty()) return decision;
  // What concerns all users waits for all there is.
  const auto id = user_of(command);
  const Sequence waits_for = id ? last_change_of(table_.find_user(id->text())) : last_change();
  if (waits_for > confirmed_) decision.waits_for = waits_for;
  return decision;
}

Sequence Registry::last_change_of(Slot user) const {
  return user == kNoSlot
             ? plans_changed_
             : std::max(plans_changed_, static_cast<Sequence>(table_.user(user).last_change));
}

void Registry::set_policy(const Policy& policy, const Now& now) {
  const bool another_limit = policy.limit != policy_.limit;
  policy_ = policy;
  if (another_limit) tell_limit({}, {}, policy_.limit, false, now);
}

Answer Registry::decide(const Heartbeat& beat, const Now& now) {
  const Slot user = table_.find_user(beat.user.text());
  if (user != kNoSlot) {
    const Slot slot = table_.find_session(user, beat.session.text());
    if (slot != kNoSlot) {
      // Of the user's other sessions none is ended here: a heartbeat that is allowed never needs
      // the disk.
      const SessionSlot& session = table_.session(slot);
      const bool active = session.state == SlotState::kActive;
      if (active && session.expires() > now.instant) {
        return renew(slot, {beat.user, beat.session}, terms_of(user).limit, now);
      }
      if (active) expire_due(user, now);
      const SlotState state = session.state;
      return Gone{std::string(beat.user.text()), std::string(beat.session.text()), reason_of(state),
                  eviction_of(slot, now)};
    }
  }
  return Unknown{std::string(beat.user.text()), std::string(beat.session.text())};
}

Answer Registry::decide(const End& end, const Now& now) {
  Ended answer{std::string(end.user.text()), std::string(end.session.text()), false, 0, {}, {}};
  const Slot user = table_.find_user(end.user.text());
  if (user == kNoSlot) return answer;
  expire_due(user, now);
  const Slot slot = table_.find_session(user, end.session.text());
  if (slot != kNoSlot) {
    const SlotState state = table_.session(slot).state;
    if (state == SlotState::kActive) {
      remove(slot, SlotState::kEnded, now);
      answer.ended = true;
    } else {
      answer.reason = reason_of(state);
      answer.eviction = eviction_of(slot, now);
    }
  }
  answer.active = table_.user(user).active;
  return answer;
}

// Lists change nothing: what has expired is passed over and left for its user's next command or the
// sweeper.
Answer Registry::decide(const ListUser& list, const Now& now) {
  const Slot user = table_.find_user(list.user.text());
  UserSessions answer{std::string(list.user.text()), 0, terms_of(user).limit, {}, {}};
  if (user == kNoSlot) return answer;
  answer.active = active_at(user, now.instant);
  for (Slot slot = table_.user(user).head; slot != kNoSlot; slot = table_.session(slot).next) {
    const SessionSlot& session = table_.session(slot);
    if (session.row <= list.after || session.expires() <= now.instant) continue;
    if (answer.sessions.size() == list.most) {
      answer.next = table_.session(session.prev).row;
      break;
    }
    answer.sessions.push_back(info(slot, now));
  }
  return answer;
}

Answer Registry::decide(const ListAll& list, const Now& now) const {
  Page page;
  for (Slot slot = list.after; slot < table_.end(); ++slot) {
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive || session.expires() <= now.instant) continue;
    if (page.sessions.size() == list.most) {
      page.next = slot;
      break;
    }
    page.sessions.push_back(info(slot, now));
  }
  return page;
}

Answer Registry::decide(const Purge& purge, const Now& now) {
  Purged answer{0, purge.dry_run};
  if (purge.user) {
    const Slot user = table_.find_user(purge.user->text());
    if (user != kNoSlot) answer.count = purge_user(user, purge, now);
    return answer;
  }
  for (Slot slot = purge.first; slot < std::min(purge.end, table_.end()); ++slot) {
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive || session.row > purge.last_row) continue;
    if (!purge.dry_run) expire_due(session.user, now);
    if (session.state != SlotState::kActive || session.expires() <= now.instant) continue;
    if (session.last_seen() + purge.idle > now.instant) continue;
    ++answer.count;
    if (!purge.dry_run) remove(slot, SlotState::kPurged, now);
  }
  return answer;
}

std::uint64_t Registry::purge_user(Slot user, const Purge& purge, const Now& now) {
  std::uint64_t count = 0;
  if (!purge.dry_run) expire_due(user, now);
  for (Slot slot = table_.user(user).head; slot != kNoSlot;) {
    const SessionSlot& session = table_.session(slot);
    const Slot next = session.next;
    if (session.expires() > now.instant && session.last_seen() + purge.idle <= now.instant) {
      ++count;
      if (!purge.dry_run) remove(slot, SlotState::kPurged, now);
    }
    slot = next;
  }
  return count;
}

SessionInfo Registry::info(Slot slot, const Now& now) const {
  const SessionSlot& session = table_.session(slot);
  const Details* details = table_.details(slot);
  return {table_.user(session.user).name.str(), session.name.str(),
          now.to_wall(session.started()),       now.to_wall(session.last_seen()),
          now.to_wall(session.expires()),       details ? *details : Details()};
}

std::optional<Eviction> Registry::eviction_of(Slot slot, const Now& now) const {
  const EvictedBy* by = table_.evicted_by(slot);
  if (by == nullptr) return std::nullopt;
  return Eviction{*by, now.to_wall(table_.session(slot).expires())};
}

// Looks anew where a lease may have run out; the bound is exact again once the expired are swept.
std::uint32_t Registry::active_at(Slot user, Instant now) {
  UserSlot& owner = table_.user(user);
  if (now < owner.earliest) return owner.active;
  std::uint32_t active = 0;
  Instant earliest = Instant::max();
  for (Slot slot = owner.head; slot != kNoSlot; slot = table_.session(slot).next) {
    const Instant expires = table_.session(slot).expires();
    earliest = std::min(earliest, expires);
    if (expires > now) ++active;
  }
  owner.earliest = earliest;
  return active;
}

}  // namespace concur
