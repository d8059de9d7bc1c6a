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
  for (Slot slot = owner.head; slot != kNoSlot; slot = table.session(slot).next) {
    const Instant expires = session(slot).expires();
    earliest = std::min(earliest, expires);
    if (expires > now) ++active;
  }
  owner.earliest = earliest;
  return active;
}

void State::set_rule(Slot user, const UserRule& rule) {
  UserRule& now = table.user(user).rule;
  if (now.plan != kNoPlan) --plans[now.plan].users;
  if (rule.plan != kNoPlan) ++plans[rule.plan].users;
  now = rule;
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
