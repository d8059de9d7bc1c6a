#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "fleet/user_fields.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concur {

// A user as a walk over all of them meets it.
struct WalkedUser {
  std::string user;
  UserFields fields;       // sorted
  WallTime now;            // the engine's clock
  std::uint64_t at = 0;    // where it was met: users come in the order of this,
  std::uint64_t hash = 0;  // and then of that
};

// Some users, and where to go on; without `next` these were the last.
struct WalkStep {
  bool available = false;
  std::vector<WalkedUser> users{};
  std::optional<engine::WalkPosition> next{};
  std::string cause{};
};

// Reads the users whom the engine has, some at a time, so that memory stays bounded and others are
// answered in between. Each user that is there all the time is met at least once, also while slots
// are moved. Keys of others are passed over.
class Walk {
 public:
  static constexpr std::uint64_t kSlotsAtOnce = 32;

  // All must outlive it and its steps.
  Walk(engine::Engine& engine, const Clock& clock, std::string prefix, Millis timeout)
      : engine_(engine), clock_(clock), prefix_(std::move(prefix)), timeout_(timeout) {}

  // The users from there on; `done` may be called from within.
  void step(const engine::WalkPosition& from, Callback<void(WalkStep&&), 56> done);

 private:
  struct Running;

  void read_keys(const std::shared_ptr<Running>& running, const engine::WalkPosition& from);
  void read_users(const std::shared_ptr<Running>& running);

  engine::Engine& engine_;
  const Clock& clock_;
  std::string prefix_;
  Millis timeout_;
};

}  // namespace concur
