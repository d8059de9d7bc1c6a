#include "service/sweeper.hpp"

#include "support/step_host.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeStepHost;

namespace {

constexpr std::size_t kUsers = 10'000;

struct Fixture {
  // All that can be done before the next tick or the next commit.
  void run() {
    loop.restart();
    loop.run();
  }
  std::size_t active() const { return host.registry.active_sessions(); }

  FakeStepHost host{kUsers};
  boost::asio::io_context loop;
  Sweeper sweeper{loop, host.registry, host};
};

}  // namespace

TEST_CASE("Sweeper") {
  Fixture fixture;
  FakeStepHost& host = fixture.host;
  Sweeper& sweeper = fixture.sweeper;

  SUBCASE("looks at a tick's share in small steps, where there is nothing to end") {
    sweeper.tick();
    CHECK(host.steps == 1);
    fixture.run();
    CHECK(host.steps == Sweeper::kMinSwept / Sweeper::kStep);
  }
  SUBCASE("looks at all slots within a lap") {
    host.clock.tick(90s);
    int ticks = 0;
    for (; fixture.active() > 0 && ticks < 100; ++ticks) {
      sweeper.tick();
      fixture.run();
      while (host.commit() > 0) {
        sweeper.go_on();
        fixture.run();
      }
    }
    CHECK(fixture.active() == 0);
    CHECK(ticks <= static_cast<int>(kUsers / Sweeper::kMinSwept) + 1);
  }
  SUBCASE("a step decides no more than a start may wait for") {
    host.clock.tick(90s);
    sweeper.tick();
    fixture.run();
    CHECK(host.waiting_changes() <= 2 * Sweeper::kStep);
    CHECK(fixture.active() == kUsers - Sweeper::kStep);
  }
  SUBCASE("rests while too much waits, and goes on after a commit") {
    host.others = Sweeper::kMaxBacklog;
    sweeper.tick();
    fixture.run();
    CHECK(host.steps == 0);
    host.others = 0;
    sweeper.go_on();
    fixture.run();
    CHECK(host.steps == Sweeper::kMinSwept / Sweeper::kStep);
  }
  SUBCASE("where others never let up it gets on with each commit, by the time that took") {
    host.clock.tick(90s);
    host.others = Sweeper::kMaxBacklog;
    sweeper.tick();
    host.took = 100ms;  // a lap takes ten seconds
    sweeper.go_on();
    CHECK(host.steps == 1);
    CHECK(kUsers - fixture.active() == kUsers / 100);
    host.took = 0ms;
    sweeper.go_on();
    CHECK(kUsers - fixture.active() == kUsers / 100 + Sweeper::kStep);
  }
  SUBCASE("after a commit that hung it does no more at once than in a tick of a small table") {
    host.clock.tick(90s);
    host.others = Sweeper::kMaxBacklog;
    sweeper.tick();
    host.took = 1h;
    sweeper.go_on();
    CHECK(kUsers - fixture.active() <= Sweeper::kMinSwept);
  }
  SUBCASE("once it paused, nothing happens until the next tick") {
    sweeper.tick();
    sweeper.pause();
    fixture.run();
    sweeper.go_on();
    CHECK(host.steps == 1);
    sweeper.tick();
    CHECK(host.steps == 2);
  }
}
