#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "fleet/user_fields.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// A user as a walk over all of them meets it.
struct WalkedUser {
  std::string key;
  std::string user;
  UserFields fields;       // sorted
  WallTime now;            // the engine's clock
  std::uint64_t at = 0;    // where it was met: users come in the order of this,
  std::uint64_t hash = 0;  // and then of that
};

// Some users, and where to go on; without `next` these were the last.
struct WalkStep {
  bool available = false;
  bool anew = false;  // there are none, and all come, also those who were met before
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

  // The user that a key is of; empty for keys that are passed over.
  using UserOf = std::function<std::string(std::string_view key)>;

  // All must outlive it and its steps.
  Walk(engine::Engine& engine, const Clock& clock, UserOf user_of, Millis timeout)
      : engine_(engine), clock_(clock), user_of_(std::move(user_of)), timeout_(timeout) {}

  // The users from there on; `done` may be called from within.
  void step(const engine::WalkPosition& from, Callback<void(WalkStep&&), 56> done);

 private:
  struct Running;

  void read_keys(const std::shared_ptr<Running>& running, const engine::WalkPosition& from);
  void read_users(const std::shared_ptr<Running>& running);

  engine::Engine& engine_;
  const Clock& clock_;
  UserOf user_of_;
  Millis timeout_;
};

}  // namespace concur
