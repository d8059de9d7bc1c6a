#include "session/state.hpp"

#include <algorithm>

namespace concur {

namespace {

// How long and how many gone sessions are remembered.
constexpr Millis kRememberGone = std::chrono::hours(1);
constexpr std::size_t kMaxGone = 65'536;

}  // namespace

// Looks anew where a lease may have run out; the bound is exact again once the expired are swept.
std::uint32_t State::active_at(Slot user, Instant now) {
  UserSlot& owner = table.user(user);
  if (now < owner.earliest) return owner.active;
  std::uint32_t active = 0;
  Instant earliest = Instant::max();
  for (Slot slot = owner.head; slot != kNoSlot;) {
    const SessionSlot& each = session(slot);
    earliest = std::min(earliest, each.expires());
    if (each.expires() > now) ++active;
    slot = each.next;
  }
  owner.earliest = earliest;
  return active;
}

Table::Added State::add(std::string_view user, std::string_view session) {
  const Table::Added added = table.add(user, session);
  const Slot owner = table.session(added.slot).user;
  count_active(owner, table.user(owner).active - 1);
  return added;
}

Slot State::add_absent(std::string_view user, std::string_view session) {
  const Slot slot = table.add_absent(user, session);
  if (slot == kNoSlot) return kNoSlot;
  const Slot owner = table.session(slot).user;
  count_active(owner, table.user(owner).active - 1);
  return slot;
}

void State::unlink(Slot slot) {
  table.unlink(slot);
  const Slot owner = table.session(slot).user;
  count_active(owner, table.user(owner).active + 1);
}

void State::relink(Slot slot) {
  table.relink(slot);
  const Slot owner = table.session(slot).user;
  count_active(owner, table.user(owner).active - 1);
}

void State::count_active(Slot user, std::uint32_t before) {
  const UserSlot& owner = table.user(user);
  plans.count_user(owner.rule, before, owner.active);
}

void State::set_rule(Slot user, const UserRule& rule) {
  UserSlot& owner = table.user(user);
  plans.remove_user(owner.rule, owner.active);
  owner.rule = rule;
  plans.add_user(owner.rule, owner.active);
}

void State::remember_gone(Slot slot) {
  gone_.push_back(slot);
  if (gone_.size() > kMaxGone) forget_oldest_gone();
}

void State::forget_gone(std::uint32_t most, Instant now) {
  for (; most > 0 && !gone_.empty(); --most) {
    const Instant went = session(gone_.front()).expires();
    if (went + kRememberGone > now) return;
    forget_oldest_gone();
  }
}

void State::forget_oldest_gone() {
  table.release(gone_.front());
  gone_.pop_front();
}

SessionInfo State::info(Slot slot, const Now& now) {
  const SessionSlot& shown = session(slot);
  const Details* details = table.details(slot);
  return {table.user(shown.user).name.str(), shown.name.str(),
          now.to_wall(shown.started()),      now.to_wall(shown.last_seen()),
          now.to_wall(shown.expires()),      details != nullptr ? *details : Details()};
}

std::optional<Eviction> State::eviction_of(Slot slot, const Now& now) {
  const EvictedBy* by = table.evicted_by(slot);
  if (by == nullptr) return std::nullopt;
  return Eviction{*by, now.to_wall(session(slot).expires())};
}

}  // namespace concur
