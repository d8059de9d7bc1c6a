#pragma once

#include "base/clock.hpp"
#include "engine/change.hpp"
#include "session/policy.hpp"
#include "session/user_state.hpp"

namespace concur {

// How long a fleet keeps who is gone, and why: as long as a rule asks for it, and for a day where a
// box that was cut off may not know of it.

// Those whose time is over go; and where they are too many, those that clients ended first.
void prune_gone(const Policy& policy, UserState& state, Instant now);

// For how long the engine keeps the user: for some hours longer than the longest thing that is
// known of it.
engine::Expiry expiry_of(const Policy& policy, const UserState& state, Instant now);

}  // namespace concur
