#pragma once

#include "session/session.hpp"

#include <cstdint>
#include <variant>
#include <vector>

namespace concur {

// What the registry decided and the store must keep, in the order it was decided.
struct Insert {
  Row row;
};

// A lease as heartbeats have moved it.
struct Save {
  std::int64_t id = 0;
  Instant started;
  Instant last_seen;
  Instant expires;
  Millis ttl{};
};

struct Remove {
  std::int64_t id = 0;
};

using Change = std::variant<Insert, Save, Remove>;

// Numbers changes in the order they were decided, from 1. 0 stands before all.
using Sequence = std::uint64_t;

}  // namespace concur
