#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace concur {

// How boxes tell each other that a session was ended, so that a player is cut off before its next
// heartbeat would: the names of users in a hash of the engine for each box, which looks there
// often. Best effort; the heartbeat is the guarantee. For the loop's thread alone.
class Inbox {
 public:
  static constexpr Millis kLookAgain{400};
  static constexpr Millis kKept{60'000};  // for a box that is away

  // All must outlive it. `on_user` is told whom to look at.
  Inbox(engine::Engine& engine, const Clock& clock, const std::string& prefix, Millis timeout,
        std::uint64_t box, std::function<void(const std::string& user)> on_user);

  // That box serves a session of the user that was ended here.
  void tell(std::uint64_t box, std::string_view user);
  // To be called often: looks where it is time to.
  void tick();

 private:
  std::string key_of(std::uint64_t box) const;
  void take(engine::Fields&& fields);

  engine::Engine& engine_;
  const Clock& clock_;
  std::string prefix_;
  Millis timeout_;
  std::uint64_t box_;
  std::function<void(const std::string& user)> on_user_;
  Instant next_look_{};
  bool looking_ = false;
};

}  // namespace concur
