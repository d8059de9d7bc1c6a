#pragma once

#include "base/clock.hpp"
#include "base/turn.hpp"
#include "engine/engine.hpp"
#include "engine/net_dialer.hpp"

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace concur::test {

// An engine's client as a daemon runs it, and a loop that runs as long as the test waits.
class Client {
 public:
  explicit Client(engine::EngineConfig config, engine::TlsContext tls = nullptr)
      : dialer_(loop_, std::move(tls)), engine_(turn_, clock_, dialer_, std::move(config)) {
    tick();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  engine::Engine& engine() { return engine_; }
  Instant now() const { return clock_.now().instant; }

  // What becomes of it.
  engine::ChangeOutcome change(const engine::Change& change, Millis patience = Millis(5000)) {
    std::optional<engine::ChangeOutcome> outcome;
    engine_.change(change, now() + patience,
                   [&outcome](engine::ChangeOutcome&& came) { outcome = std::move(came); });
    run_until([&outcome] { return outcome.has_value(); });
    return std::move(*outcome);
  }
  engine::ReadOutcome read(const std::string& key, std::vector<std::string> fields = {}) {
    std::optional<engine::ReadOutcome> outcome;
    engine_.read(key, std::move(fields), now() + Millis(5000),
                 [&outcome](engine::ReadOutcome&& came) { outcome = std::move(came); });
    run_until([&outcome] { return outcome.has_value(); });
    return std::move(*outcome);
  }
  engine::KeysOutcome keys(engine::WalkPosition from) {
    std::optional<engine::KeysOutcome> outcome;
    engine_.keys(from, now() + Millis(5000),
                 [&outcome](engine::KeysOutcome&& came) { outcome = std::move(came); });
    run_until([&outcome] { return outcome.has_value(); });
    return std::move(*outcome);
  }
  void run_until(const std::function<bool()>& holds,
                 std::chrono::seconds patience = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      loop_.run_one();
    }
  }
  void run_for(Millis time) {
    const Instant end = now() + time;
    run_until([this, end] { return now() >= end; });
  }
  void run_until_whole() {
    run_until([this] { return engine_.health().whole; });
  }

 private:
  void tick() {
    timer_.expires_after(engine::Engine::kTick);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      tick();
      engine_.tick();
    });
  }

  boost::asio::io_context loop_{1};
  Turn turn_{loop_};
  SystemClock clock_;
  engine::NetDialer dialer_;
  engine::Engine engine_;
  boost::asio::steady_timer timer_{loop_};
};

}  // namespace concur::test
