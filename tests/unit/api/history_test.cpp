#include "api/history.hpp"

#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

namespace {

struct Recorder {
  // Time passes, and a sample is taken where one is due.
  void tick(Millis by) {
    clock.tick(by);
    history.add(figures, clock.now());
  }
  Histogram& commits() {
    return std::get<DatabaseStatus>(figures.service.storage).commits.durations;
  }
  const History::Sample& newest() const { return history.samples().back(); }
  std::string rules() const {
    std::string text;
    for (const auto& [rule, count] : newest().by_rule) {
      text += history.rule(rule) + "=" + std::to_string(count) + " ";
    }
    return text;
  }

  test::FakeClock clock;
  Figures figures{};
  History history;
};

}  // namespace

TEST_CASE("History takes a sample each ten seconds") {
  Recorder recorder;
  recorder.tick(0s);
  CHECK(recorder.history.samples().empty());
  recorder.tick(9'999ms);
  CHECK(recorder.history.samples().empty());
  CHECK(recorder.history.due_in(recorder.clock.now().instant) == 1ms);
  recorder.tick(1ms);
  REQUIRE(recorder.history.samples().size() == 1);
  CHECK(recorder.newest().length == 10s);
  CHECK(recorder.newest().at == recorder.clock.now().wall());
  SUBCASE("from one that is very late on, so that the next is not of moments") {
    recorder.tick(19'900ms);
    const auto taken = recorder.history.samples().size();
    recorder.tick(200ms);
    CHECK(recorder.history.samples().size() == taken);
    recorder.tick(9'800ms);
    CHECK(recorder.history.samples().size() == taken + 1);
    CHECK(recorder.newest().length == 10'000ms);
  }
  SUBCASE("in step with the first where a timer is late") {
    recorder.tick(10'300ms);
    recorder.tick(9'700ms);
    REQUIRE(recorder.history.samples().size() == 3);
    CHECK(recorder.newest().length == 9'700ms);
  }
  SUBCASE("and one for all of a sleep") {
    recorder.tick(1h);
    REQUIRE(recorder.history.samples().size() == 2);
    CHECK(recorder.newest().length == 1h);
    recorder.tick(9s);
    CHECK(recorder.history.samples().size() == 2);
    recorder.tick(1s);
    CHECK(recorder.history.samples().size() == 3);
  }
}

TEST_CASE("History keeps the last hours, and no more") {
  Recorder recorder;
  recorder.tick(0s);
  const WallTime begin = recorder.clock.now().wall();
  for (std::size_t i = 0; i < 3 * History::kMost; ++i) recorder.tick(History::kStep);
  CHECK(recorder.history.samples().size() == History::kMost);
  CHECK(recorder.history.samples().front().at ==
        begin + History::kStep * (2 * static_cast<Millis::rep>(History::kMost) + 1));
}

TEST_CASE("History counts from sample to sample") {
  Recorder recorder;
  recorder.figures.commands.starts.total = 1000;
  recorder.figures.commands.counts.denials_by_rule["tvs"] = 7;
  recorder.figures.commands.denials.total = 10;
  recorder.commits().add(5'000'000'000);
  recorder.tick(0s);
  recorder.figures.service.sessions = 12;
  recorder.figures.service.users = 5;
  recorder.figures.service.users_at_limit = 2;
  recorder.figures.commands.starts.total += 20;
  recorder.figures.commands.denials.total += 6;
  recorder.figures.commands.counts.denials_by_rule["tvs"] += 1;
  recorder.figures.commands.counts.denials_by_rule["homes"] = 3;
  recorder.figures.commands.heartbeats.total += 40;
  recorder.figures.events.evictions.total += 3;
  for (int i = 0; i < 200; ++i) recorder.commits().add(i == 0 ? 9'000'000 : 2'000'000);
  recorder.tick(10s);
  CHECK(recorder.newest().sessions == 12);
  CHECK(recorder.newest().users == 5);
  CHECK(recorder.newest().users_at_limit == 2);
  CHECK(recorder.newest().starts == 20);
  CHECK(recorder.newest().denials == 6);
  CHECK(recorder.newest().evictions == 3);
  CHECK(recorder.newest().heartbeats == 40);
  CHECK(recorder.rules() == "homes=3 tvs=1 limit=2 ");
  CHECK(*recorder.newest().mean_commit == doctest::Approx(0.002035));
  CHECK(*recorder.newest().slow_commit == doctest::Approx(0.0025));
  for (int i = 0; i < 2; ++i) recorder.commits().add(9'000'000);
  recorder.commits().add(60'000'000'000);
  recorder.tick(10s);
  CHECK(recorder.newest().starts == 0);
  CHECK(recorder.rules().empty());
  CHECK(*recorder.newest().slow_commit == doctest::Approx(10));
  recorder.tick(10s);
  CHECK_FALSE(recorder.newest().mean_commit);
  CHECK_FALSE(recorder.newest().slow_commit);
}

TEST_CASE("History of a box of a fleet knows what its engine took") {
  Recorder recorder;
  recorder.figures.service.fleet.emplace();
  recorder.tick(0s);
  recorder.commits().add(1'000'000'000);
  recorder.figures.service.fleet->counts.request_durations.add(3'000'000);
  recorder.tick(10s);
  CHECK(*recorder.newest().mean_commit == doctest::Approx(0.003));
}
