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

std::unique_ptr<Details> copy_of(const Details& details) {
  return details.empty() ? nullptr : std::make_unique<Details>(details);
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
  Answer answer = std::visit([&](const auto& c) { return decide(c, now); }, command);
  // What concerns all users waits for all there is.
  Sequence waits_for = last_change();
  if (const auto id = user_of(command)) {
    const Slot user = table_.find_user(id->text());
    waits_for = user == kNoSlot ? 0 : table_.user(user).last_change;
  }
  return {std::move(answer), waits_for > confirmed_ ? waits_for : 0};
}

bool Registry::restore(Row row, const Now& now) {
  const Slot user = table_.find_user(row.user);
  if (user != kNoSlot && table_.find_session(user, row.session) != kNoSlot) return false;
  const Millis ttl = std::clamp(row.ttl, kShortestLease, kLongestLease);
  const Slot slot = table_.add(row.user, row.session);
  SessionSlot& session = table_.session(slot);
  session.row = row.id;
  set_ttl(session, ttl);
  session.started = std::min(row.started, now.instant);
  session.set_lease(
      std::min(row.last_seen, now.instant),
      std::clamp(row.expires, now.instant + heartbeat_interval(ttl), now.instant + ttl));
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires);
  if (row.details) table_.set_details(slot, std::move(*row.details));
  next_row_ = std::max(next_row_, row.id + 1);
  return true;
}

Answer Registry::decide(const Start& start, const Now& now) {
  const std::uint32_t limit = start.limit.value_or(policy_.limit);
  const Slot user = table_.find_user(start.user.text());
  if (user == kNoSlot) return start_new(start, limit, now);
  expire_due(user, now.instant);
  const std::uint32_t active = table_.user(user).active;
  const Slot slot = table_.find_session(user, start.session.text());
  if (slot != kNoSlot && table_.session(slot).state == SlotState::kActive) {
    if (start.refuse_repeat_above_limit && limit != kUnlimited && active > limit) {
      return deny(start, user, active, limit, now);
    }
    if (!start.ttl || *start.ttl == table_.session(slot).ttl()) return renew(slot, limit, now);
    return renew_with_ttl(slot, *start.ttl, limit, now);
  }
  if (limit != kUnlimited && active >= limit) return deny(start, user, active + 1, limit, now);
  return start_new(start, limit, now);
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
      if (active && session.expires > now.instant) return renew(slot, policy_.limit, now);
      if (active) remove(slot, SlotState::kExpired, now.instant);
      const SlotState state = session.state;
      return Gone{std::string(beat.user.text()), std::string(beat.session.text()),
                  reason_of(state)};
    }
  }
  return Unknown{std::string(beat.user.text()), std::string(beat.session.text())};
}

Answer Registry::decide(const End& end, const Now& now) {
  Ended answer{std::string(end.user.text()), std::string(end.session.text()), false, 0, {}};
  const Slot user = table_.find_user(end.user.text());
  if (user == kNoSlot) return answer;
  expire_due(user, now.instant);
  const Slot slot = table_.find_session(user, end.session.text());
  if (slot != kNoSlot) {
    const SlotState state = table_.session(slot).state;
    if (state == SlotState::kActive) {
      remove(slot, SlotState::kEnded, now.instant);
      answer.ended = true;
    } else {
      answer.reason = reason_of(state);
    }
  }
  answer.active = table_.user(user).active;
  return answer;
}

// Lists change nothing: what has expired is passed over and left for its user's next command or the
// sweeper.
Answer Registry::decide(const ListUser& list, const Now& now) {
  UserSessions answer{std::string(list.user.text()), 0, policy_.limit, {}, {}};
  const Slot user = table_.find_user(list.user.text());
  if (user == kNoSlot) return answer;
  answer.active = active_at(user, now.instant);
  for (Slot slot = table_.user(user).head; slot != kNoSlot; slot = table_.session(slot).next) {
    const SessionSlot& session = table_.session(slot);
    if (session.row <= list.after || session.expires <= now.instant) continue;
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
    if (session.state != SlotState::kActive || session.expires <= now.instant) continue;
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
  for (Slot slot = 0; slot < table_.end(); ++slot) {
    const SessionSlot& session = table_.session(slot);
    if (session.state != SlotState::kActive || session.expires <= now.instant) continue;
    if (session.last_seen() + purge.idle > now.instant) continue;
    ++answer.count;
    if (!purge.dry_run) remove(slot, SlotState::kPurged, now.instant);
  }
  return answer;
}

std::uint64_t Registry::purge_user(Slot user, const Purge& purge, const Now& now) {
  std::uint64_t count = 0;
  if (!purge.dry_run) expire_due(user, now.instant);
  for (Slot slot = table_.user(user).head; slot != kNoSlot;) {
    const SessionSlot& session = table_.session(slot);
    const Slot next = session.next;
    if (session.expires > now.instant && session.last_seen() + purge.idle <= now.instant) {
      ++count;
      if (!purge.dry_run) remove(slot, SlotState::kPurged, now.instant);
    }
    slot = next;
  }
  return count;
}

Granted Registry::start_new(const Start& start, std::uint32_t limit, const Now& now) {
  const Millis ttl = start.ttl.value_or(policy_.lease);
  const Slot user = table_.find_user(start.user.text());
  const Slot gone = user == kNoSlot ? kNoSlot : table_.find_session(user, start.session.text());
  const Slot slot = table_.add(start.user.text(), start.session.text());
  SessionSlot& session = table_.session(slot);
  session.row = next_row_++;
  set_ttl(session, ttl);
  session.started = now.instant;
  session.set_lease(now.instant, now.instant + ttl);
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires);
  table_.set_details(slot, start.details);
  record({Did::kAdded, slot, gone},
         Insert{{session.row, std::string(start.user.text()), std::string(start.session.text()),
                 session.started, now.instant, session.expires, ttl, copy_of(start.details)}});
  return grant(slot, limit, false, now);
}

// A heartbeat changes memory alone; save() tells the store of it later.
Granted Registry::renew(Slot slot, std::uint32_t limit, const Now& now) {
  SessionSlot& session = table_.session(slot);
  const auto ahead = (now.instant - session.last_seen()).count() + session.unsaved_ms;
  session.unsaved_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ahead, 1, UINT32_MAX));
  session.set_lease(now.instant, now.instant + session.ttl());
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires);
  return grant(slot, limit, true, now);
}

// The row would keep the old lease until the sweeper came by, which judges by the new one: so the
// answer waits for the save.
Granted Registry::renew_with_ttl(Slot slot, Millis ttl, std::uint32_t limit, const Now& now) {
  set_ttl(table_.session(slot), ttl);
  Granted granted = renew(slot, limit, now);
  save(slot);
  table_.user(table_.session(slot).user).last_change = last_change();
  return granted;
}

Granted Registry::grant(Slot slot, std::uint32_t limit, bool renewed, const Now& now) {
  const SessionSlot& session = table_.session(slot);
  return {table_.user(session.user).name.str(),
          session.name.str(),
          renewed,
          active_at(session.user, now.instant),
          limit,
          now.to_wall(session.expires),
          heartbeat_interval(session.ttl())};
}

Denied Registry::deny(const Start& start, Slot user, std::uint32_t attempted, std::uint32_t limit,
                      const Now& now) const {
  const UserSlot& owner = table_.user(user);
  Denied denied{std::string(start.user.text()),
                std::string(start.session.text()),
                owner.active,
                attempted,
                limit,
                Millis::max(),
                {}};
  denied.sessions.reserve(std::min<std::size_t>(owner.active, kMostListed));
  for (Slot slot = owner.head; slot != kNoSlot; slot = table_.session(slot).next) {
    denied.retry_after =
        std::min<Millis>(denied.retry_after, table_.session(slot).expires - now.instant);
    if (denied.sessions.size() < kMostListed) denied.sessions.push_back(info(slot, now));
  }
  return denied;
}

SessionInfo Registry::info(Slot slot, const Now& now) const {
  const SessionSlot& session = table_.session(slot);
  const Details* details = table_.details(slot);
  return {table_.user(session.user).name.str(), session.name.str(),
          now.to_wall(session.started),         now.to_wall(session.last_seen()),
          now.to_wall(session.expires),         details ? *details : Details()};
}

// Looks anew where a lease may have run out; the bound is exact again once the expired are swept.
std::uint32_t Registry::active_at(Slot user, Instant now) {
  UserSlot& owner = table_.user(user);
  if (now < owner.earliest) return owner.active;
  std::uint32_t active = 0;
  Instant earliest = Instant::max();
  for (Slot slot = owner.head; slot != kNoSlot; slot = table_.session(slot).next) {
    const Instant expires = table_.session(slot).expires;
    earliest = std::min(earliest, expires);
    if (expires > now) ++active;
  }
  owner.earliest = earliest;
  return active;
}

}  // namespace concur
