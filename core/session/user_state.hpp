#pragma once

#include "base/clock.hpp"
#include "session/replaced_names.hpp"
#include "session/session.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace concur {

// All that the rules read and write of one user, as a value: for a service whose users are kept
// elsewhere, on a clock of that place. A rule that remembers something of a user remembers it here.
struct UserState {
  struct Session {
    Row row;                   // its id orders starts of one user; Int48, as its times
    std::uint64_t box = 0;     // who serves it; nothing that a rule looks at
    std::string row_rest{};    // what a newer one wrote behind the row that is known here,
    std::string lease_rest{};  // and behind the lease
  };
  struct Gone {
    GoneRow row;
    bool far = false;  // by another one than who served it
    std::string rest{};
  };

  std::string user;
  std::vector<Session> sessions{};  // the active ones, oldest start first
  std::vector<Gone> gone{};         // in the order they went; none of a name that is active
  std::vector<HoldOffRow> marks{};  // oldest first
  std::vector<ReplacedNames::One> replaced{};
  LimitRow rule{};
  std::optional<Block> block{};
  std::string set_rest{};  // what a newer one wrote behind these two
  // When the next start would be on time, as the throttle counts; absent: at once.
  std::optional<std::chrono::nanoseconds> starts_due{};
  // Until then none of its sessions is let in above the limit; absent: one may be.
  std::optional<Instant> no_overlap_until{};
};

}  // namespace concur
