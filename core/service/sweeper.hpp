#pragma once

#include "base/clock.hpp"
#include "service/step_host.hpp"
#include "session/registry.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>

namespace concur {

// Looks at all sessions round and round, so that what has expired is ended soon and no lease that
// heartbeats moved is stored too late. In steps, between turns of the loop and between commits:
// starts must have the better part of the commits, also when a million sessions expire at once.
// For the loop thread alone.
class Sweeper {
 public:
  static constexpr std::uint32_t kStep = 64;        // slots looked at between two turns
  static constexpr std::uint32_t kMinSwept = 4096;  // a tick; smaller tables are swept whole
  // Changes that wait, beyond which it rests: a start waits for as many too.
  static constexpr std::size_t kMaxBacklog = 64;

  // All must outlive it.
  Sweeper(boost::asio::io_context& loop, Registry& registry, StepHost& host)
      : loop_(loop), registry_(registry), host_(host), rest_timer_(loop) {}

  // How often tick() is to be called.
  Millis tick_length() const;

  // Looks at as many slots as are due in the time of a tick, from here on.
  void tick();
  // To be called after each commit that worked: goes on where too much waited for that.
  void go_on();
  // Until the next tick.
  void pause();

 private:
  enum class State {
    kIdle,    // until the next tick
    kPosted,  // a step runs in the next turn of the loop
    kBehind,  // until a commit: too much waits
    kResting  // until the timer: others have their turn with the commits
  };

  Millis lap() const;
  void step();
  void sweep(std::uint32_t slots);

  boost::asio::io_context& loop_;
  Registry& registry_;
  StepHost& host_;
  State state_ = State::kIdle;
  std::uint32_t left_ = 0;  // of this tick
  boost::asio::steady_timer rest_timer_;
};

}  // namespace concur
