#pragma once

#include "base/clock.hpp"
#include "session/command.hpp"
#include "session/session.hpp"

namespace concur {

// Whether a purge means an active session, whoever's it is. Without details it has none.
bool is_meant(const Purge& purge, Instant started, Instant last_seen, const Details* details,
              Instant now);

}  // namespace concur
