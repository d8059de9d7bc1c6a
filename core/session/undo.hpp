#pragma once

#include "base/clock.hpp"
#include "session/gone.hpp"
#include "session/int48.hpp"
#include "session/plans.hpp"
#include "session/session.hpp"
#include "session/slab.hpp"
#include "session/usage_record.hpp"
#include "session/user_ref.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

// What each kind of change still does to the state: on_durable() once it is stored, roll_back()
// where it could not be. Of a run of changes the latest is rolled back first, so that each finds
// the state as it left it.
namespace concur {

class State;

namespace undo {

// A session was started, perhaps in the place of a gone one of that name, which is then forgotten.
struct Started {
  Slot slot;
  GoneQueue::One gone;
  void on_durable(State& state) const;
  void roll_back(State& state) const;
};

// A session is no longer active.
struct Removed {
  Slot slot;
  Int48 started_ms;
  Int48 expires_ms;  // when it would have expired
  void on_durable(State& state) const;
  void roll_back(State& state) const;
};

// A session that was let in for a while had to go.
struct Refused {
  Slot user;
  std::string rule;               // that has no room for it; empty: the limit
  std::optional<Instant> before;  // until when others were refused anyway
  void on_durable(State&) const {}
  void roll_back(State& state) const;
};

// A lease was saved; the renewed lease itself stands, for the client gave a sign of life.
struct Saved {
  Slot slot;
  std::uint32_t unsaved_ms;
  std::uint32_t ttl_ms;  // of the lease before
  void on_durable(State&) const {}
  void roll_back(State& state) const;
};

struct Described {
  Slot slot;
  Details before;
  void on_durable(State&) const {}
  void roll_back(State& state);
};

// A session is no longer let in for a while only.
struct Overlapped {
  Slot slot;
  Overlap before;
  void on_durable(State&) const {}
  void roll_back(State& state) const;
};

// A viewer was held off or protected, or a device changed hands, by its row id.
struct HeldOff {
  Slot user;
  Int48 row;
  bool conflict = false;  // it was counted as one
  void on_durable(State&) const {}
  void roll_back(State& state) const;
};

// A rule was set for a user, or taken away: the user stays until that is durable.
struct Ruled {
  UserRef user;
  UserRule before;
  RuleNumbers numbers{};  // before
  void on_durable(State&) const {}
  void roll_back(State& state);
};

// A user was blocked, or no longer is.
struct Blocked {
  UserRef user;
  std::optional<Block> before;
  void on_durable(State&) const {}
  void roll_back(State& state);
};

struct Planned {
  PlanId plan;
  Plan before;
  void on_durable(State&) const {}
  void roll_back(State& state);
};

// A part of the record of who shares was handed over.
struct Recorded {
  UsageRecord::Part part;
  Now now;
  void on_durable(State&) const {}
  void roll_back(State& state);
};

// Rows of gone sessions were taken away, for nobody remembers them.
struct Dropped {
  GoneRange gone;
  void on_durable(State&) const {}
  void roll_back(State& state) const;
};

// What else goes with another change, or is over.
struct Forgotten {
  void on_durable(State&) const {}
  void roll_back(State&) const {}
};

}  // namespace undo

// Small, for there are as many as changes: the large ones, which are rare, lie elsewhere.
using Undo =
    std::variant<undo::Started, undo::Removed, undo::Saved, std::unique_ptr<undo::Described>,
                 undo::HeldOff, undo::Dropped, std::unique_ptr<undo::Ruled>,
                 std::unique_ptr<undo::Blocked>, std::unique_ptr<undo::Planned>,
                 std::unique_ptr<undo::Recorded>, std::unique_ptr<undo::Overlapped>,
                 std::unique_ptr<undo::Refused>, undo::Forgotten>;
static_assert(sizeof(Undo) <= 24);

}  // namespace concur
