#include "session/overlaps.hpp"

#include <utility>

namespace concur {

const Overlap* Overlaps::find(Slot session) const {
  if (overlaps_.empty()) return nullptr;
  const auto found = overlaps_.find(session);
  return found == overlaps_.end() ? nullptr : &found->second;
}

void Overlaps::begin(Slot session, const Overlap& overlap, Instant ends) {
  overlaps_[session] = overlap;
  ends_.push({ends, session});
}

std::optional<Slot> Overlaps::take_due(Instant now) {
  if (ends_.empty() || ends_.top().at > now) return std::nullopt;
  const Slot session = ends_.top().slot;
  ends_.pop();
  return session;
}

void Overlaps::refuse(UserRef user, Instant until) {
  const Slot slot = user.slot();
  const auto known = refusals_.find(slot);
  if (known != refusals_.end() && known->second.until >= until) return;
  refusals_.erase(slot);
  refusals_.emplace(slot, Refusal{std::move(user), until});
  refusals_end_.push({until, slot});
}

std::optional<Instant> Overlaps::refused_until(Slot user, Instant now) const {
  if (refusals_.empty() || user == kNoSlot) return std::nullopt;
  const auto found = refusals_.find(user);
  if (found == refusals_.end() || found->second.until <= now) return std::nullopt;
  return found->second.until;
}

void Overlaps::clear() {
  overlaps_.clear();
  refusals_.clear();
  ends_ = {};
  refusals_end_ = {};
}

bool Overlaps::drop_over(Instant now) {
  while (!refusals_end_.empty() && refusals_end_.top().at <= now) {
    const Queued over = refusals_end_.top();
    refusals_end_.pop();
    const auto found = refusals_.find(over.slot);
    if (found == refusals_.end() || found->second.until != over.at) continue;
    refusals_.erase(found);
    return true;
  }
  return false;
}

}  // namespace concur
