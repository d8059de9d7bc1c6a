#include "service/purger.hpp"

#include "support/step_host.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeStepHost;

namespace {

constexpr std::size_t kUsers = 10'000;

struct Fixture {
  void begin(const Purge& purge = {}) {
    purger.begin(purge, [this](const Result<Answer>& answer) {
      answers.push_back(answer ? std::to_string(std::get<Purged>(*answer).count)
                               : answer.error().message);
    });
  }
  // All that can be done before the next commit.
  void run() {
    loop.restart();
    loop.run();
  }

  FakeStepHost host{kUsers};
  boost::asio::io_context loop;
  WorkBoard board;
  Purger purger{loop, host.registry, host, board};
  std::vector<std::string> answers;
};

}  // namespace

TEST_CASE("Purger") {
  Fixture fixture;
  FakeStepHost& host = fixture.host;
  Purger& purger = fixture.purger;

  SUBCASE("takes the first step at once") {
    fixture.begin();
    CHECK(host.steps == 1);
    CHECK(host.registry.active_sessions() == kUsers - Purger::kStep);
    CHECK(fixture.answers.empty());
  }
  SUBCASE("says how far it is until it is done") {
    fixture.begin();
    REQUIRE(fixture.board.list().size() == 1);
    const WorkState work = fixture.board.list().front();
    CHECK(work.what == "purge");
    CHECK(work.done == Purger::kStep);
    CHECK(work.total == kUsers);
    while (fixture.answers.empty()) {
      fixture.run();
      host.commit();
      purger.go_on();
    }
    CHECK(fixture.board.list().empty());
  }
  SUBCASE("rests while too much waits, and takes a step with each commit") {
    fixture.begin();
    fixture.run();
    constexpr std::size_t kSteps = Purger::kMaxBacklog / (2 * Purger::kStep);
    CHECK(host.steps == kSteps);
    host.others = Purger::kMaxBacklog;
    purger.go_on();
    fixture.run();
    CHECK(host.steps == kSteps + 1);
  }
  SUBCASE("looks at each slot once, in steps, and counts what it ended") {
    fixture.begin();
    while (fixture.answers.empty()) {
      fixture.run();
      host.commit();
      purger.go_on();
    }
    CHECK(host.steps == (kUsers + Purger::kStep - 1) / Purger::kStep);
    CHECK(fixture.answers == std::vector<std::string>{"10000"});
  }
  SUBCASE("leaves what starts later") {
    fixture.begin();
    const auto late = *Id::parse("user", "late");
    host.registry.apply(Start{late, *Id::parse("session", "s1")}, host.clock.now());
    while (fixture.answers.empty()) {
      fixture.run();
      host.commit();
      purger.go_on();
    }
    CHECK(host.registry.active_sessions() == 1);
  }
  SUBCASE("of several one after the other is carried out, and only so many wait") {
    for (std::size_t i = 0; i < Purger::kMaxPurges + 1; ++i) fixture.begin(Purge{{}, 1h});
    CHECK(host.steps == 1);
    CHECK(fixture.answers ==
          std::vector<std::string>{"cannot purge: others are under way; try again"});
    fixture.run();
    CHECK(fixture.answers.size() == Purger::kMaxPurges + 1);
  }
  SUBCASE("after a roll-back those that only count go on") {
    fixture.begin();
    fixture.begin(Purge{{}, {}, true});
    purger.refuse("cannot commit");
    CHECK(fixture.answers == std::vector<std::string>{"cannot commit"});
    host.commit();
    fixture.run();
    CHECK(fixture.answers.size() == 2);
  }
  SUBCASE("at the end of the service none goes on") {
    fixture.begin();
    fixture.begin(Purge{{}, {}, true});
    purger.stop("stopping");
    CHECK(fixture.answers == std::vector<std::string>{"stopping", "stopping"});
    const std::size_t steps = host.steps;
    fixture.run();
    CHECK(host.steps == steps);
  }
}
