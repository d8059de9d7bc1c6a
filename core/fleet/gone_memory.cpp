#include "fleet/gone_memory.hpp"

#include "fleet/user_fields.hpp"
#include "session/gone.hpp"

#include <algorithm>

namespace concur {

namespace {

constexpr Millis kKeptLonger = std::chrono::hours(2);  // by the engine, than the longest thing
constexpr Millis kLongMemory = std::chrono::hours(24);

Millis memory_of(const Policy& policy, const UserState::Gone& gone) {
  const Millis usual = std::max({policy.lease, policy.hold_off, kRememberGone, gone.row.ttl});
  const bool by_client =
      gone.row.reason == EndReason::kExpired || (gone.row.reason == EndReason::kEnded && !gone.far);
  return by_client ? usual : std::max(usual, kLongMemory);
}

}  // namespace

void prune_gone(const Policy& policy, UserState& state, Instant now) {
  std::erase_if(state.gone, [&](const UserState::Gone& each) {
    return each.row.at + memory_of(policy, each) <= now;
  });
  const auto drop_oldest = [&state](auto which) {
    while (state.gone.size() > kMaxFleetGone) {
      const auto oldest = std::ranges::find_if(state.gone, which);
      if (oldest == state.gone.end()) return;
      state.gone.erase(oldest);
    }
  };
  drop_oldest([](const UserState::Gone& each) {
    return each.row.reason == EndReason::kEnded || each.row.reason == EndReason::kExpired;
  });
  drop_oldest([](const UserState::Gone&) { return true; });
}

engine::Expiry expiry_of(const Policy& policy, const UserState& state, Instant now) {
  const bool blocked_for_good = state.block && !state.block->length;
  if (!state.rule.empty() || !state.set_rest.empty() || blocked_for_good) {
    return {engine::Expiry::Kind::kForGood, {}};
  }
  Millis longest = std::max({policy.lease, policy.hold_off, kRememberGone});
  if (state.block) longest = std::max<Millis>(longest, *state.block->until() - now);
  for (const auto& each : state.sessions) longest = std::max<Millis>(longest, each.row.ttl);
  for (const auto& each : state.gone) {
    longest = std::max<Millis>(longest, each.row.at + memory_of(policy, each) - now);
  }
  return {engine::Expiry::Kind::kAtLeast, longest + kKeptLonger};
}

}  // namespace concur
