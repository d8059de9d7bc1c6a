#pragma once

#include "session/session.hpp"
#include "session/usage.hpp"

#include <cstdint>
#include <optional>
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
  std::uint32_t start = 0;  // the latest of its starts
};

// A session's address, content and meta, as a renewing start changed them.
struct Describe {
  std::int64_t id = 0;
  std::string ip;
  std::string content;
  std::string meta;
};

// Whether a session is let in for a while only.
struct SetOverlap {
  std::int64_t id = 0;
  std::optional<Overlap> overlap{};
};

struct Remove {
  std::int64_t id = 0;
};

struct PutHoldOff {
  HoldOffRow row;
};

struct DropHoldOff {
  std::int64_t id = 0;
};

// It is told why that session went, also after a restart.
struct PutGone {
  GoneRow row;
};

// No longer, of those from the first id to the last, both inclusive.
struct DropGone {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// An empty one takes the user's row away.
struct PutLimit {
  LimitRow row;
};

struct PutPlan {
  PlanRow row;
};

struct DropPlan {
  std::string plan;
};

struct PutBlock {
  BlockRow row;
};

struct DropBlock {
  std::string user;
};

// A part of a user's hour, to be added to what is stored of that hour.
struct AddUsage {
  std::string user;
  Usage usage;
};

// Who this box is in a fleet: a random number, at most 53 bits of it.
struct PutBox {
  std::int64_t identity = 0;
};

using Change =
    std::variant<Insert, Save, Describe, SetOverlap, Remove, PutHoldOff, DropHoldOff, PutGone,
                 DropGone, PutLimit, PutPlan, DropPlan, PutBlock, DropBlock, AddUsage, PutBox>;

// Numbers changes in the order they were decided, from 1. 0 stands before all.
using Sequence = std::uint64_t;

}  // namespace concur
