#include "session/grace.hpp"

#include "session/policy.hpp"

namespace concur {

void Grace::begin(Millis slept, Instant now, Slot end) {
  if (end == 0) return;
  suspends_.push_back({now - slept, now});
  end_ = left_ = end;
}

// A session that came or was renewed since has a lease that ends later anyway.
void Grace::give(SessionSlot& session) const {
  if (session.state != SlotState::kActive) return;
  for (const Suspend& each : suspends_) {
    const Instant least = each.ended + heartbeat_interval(session.ttl());
    const bool was_active = session.expires() > each.began;
    if (was_active && session.expires() < least) session.set_lease(session.last_seen(), least);
  }
}

void Grace::looked_at(Slot slot) {
  if (slot >= end_ || !pending()) return;
  if (--left_ == 0) suspends_.clear();
}

}  // namespace concur
