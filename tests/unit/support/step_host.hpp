#pragma once

#include "service/step_host.hpp"
#include "session/registry.hpp"
#include "support/moments.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace concur::test {

// A service without a disk: it counts the steps that are taken, and commits when a test says so.
class FakeStepHost final : public StepHost {
 public:
  explicit FakeStepHost(std::size_t users) {
    for (std::size_t i = 0; i < users; ++i) {
      const std::string user = "u" + std::to_string(i);
      registry.apply(Start{*Id::parse("user", user), *Id::parse("session", "s1")}, clock.now());
    }
    commit();
  }

  Now look_at_clock() override { return clock.now(); }
  std::size_t waiting_changes() const override { return registry.pending_changes() + others; }
  std::chrono::nanoseconds commit_took() const override { return took; }
  void decided() override { ++steps; }
  void answer(Decision&& decision, Service::Reply reply) override {
    reply(std::move(decision.answer));
  }

  // All that was decided is durable. How many changes that were.
  std::size_t commit() {
    const std::size_t changes = registry.take_changes().size();
    registry.confirm(registry.last_change());
    return changes;
  }

  FakeClock clock;
  Registry registry{Policy{}, 1};
  std::size_t others = 0;  // changes of others that wait
  std::chrono::nanoseconds took{};
  std::size_t steps = 0;
};

}  // namespace concur::test
