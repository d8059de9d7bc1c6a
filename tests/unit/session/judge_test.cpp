#include "session/judge.hpp"

#include "support/judge_and_registry.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;

namespace {

struct JudgeFixture {
  explicit JudgeFixture(const Policy& policy = unthrottled()) : judge(policy, 1, 2) {}

  template <class T>
  T ask(UserState& state, const Command& command) {
    judge.open(std::move(state), clock.now());
    Answer answer = judge.apply(command, ++last_start);
    state = judge.close();
    INFO(described(answer));
    REQUIRE(std::holds_alternative<T>(answer));
    return std::get<T>(std::move(answer));
  }
  Granted start(UserState& state, std::string_view session, std::string_view device = {}) {
    Start start{id("u"), id(session)};
    start.details.device = device;
    return ask<Granted>(state, start);
  }

  FakeClock clock;
  Judge judge;
  std::int64_t last_start = 100;
};

UserState nobody() {
  UserState state;
  state.user = "u";
  return state;
}

Policy one_at_most() {
  Policy policy = unthrottled();
  policy.on_limit = OnLimit::kEvictOldest;
  policy.limit = 1;
  return policy;
}

}  // namespace

TEST_CASE("Judge decides as a registry does that knows all the time what it is told each time") {
  std::map<std::size_t, int> answers;
  std::size_t recorded = 0;
  for (unsigned seed = 1; seed <= 16; ++seed) {
    CAPTURE(seed);
    JudgeAndRegistry both(seed, [](UserState&& state, Instant) { return std::move(state); });
    both.pass(400);
    both.pass(400);
    for (const auto& [kind, count] : both.answers()) answers[kind] += count;
    recorded += both.recorded();
  }
  // Nothing was compared that did not happen.
  for (const Answer& kind :
       {Answer(Granted{}), Answer(Denied{}), Answer(Throttled{}), Answer(Gone{}), Answer(Unknown{}),
        Answer(Ended{}), Answer(UserSessions{}), Answer(Purged{}), Answer(UserLimit{})}) {
    CAPTURE(kind.index());
    CHECK(answers[kind.index()] > 20);
  }
  CHECK(recorded > 100);
}

TEST_CASE("Judge forgets a user when it is closed") {
  JudgeFixture f(one_at_most());
  f.judge.set_plans({{"family", 5, {}}});
  UserState known = nobody();
  f.start(known, "s1", "tv");
  f.start(known, "s2", "phone");
  f.ask<UserLimit>(known, SetLimit{id("u"), 5, std::optional(id("family")), {}});
  REQUIRE(known.sessions.size() == 1);
  REQUIRE(known.gone.size() == 1);
  REQUIRE_FALSE(known.marks.empty());

  UserState other = nobody();
  SUBCASE("its sessions and who is gone") {
    f.ask<Unknown>(other, Heartbeat{id("u"), id("s1")});
    f.ask<Unknown>(other, Heartbeat{id("u"), id("s2")});
    CHECK(f.ask<UserSessions>(other, ListUser{id("u")}).active == 0);
    CHECK_FALSE(f.ask<Ended>(other, End{id("u"), id("s1")}).reason.has_value());
  }
  SUBCASE("what operators set") {
    CHECK(f.ask<UserLimit>(other, ShowLimit{id("u")}).from == LimitSource::kDefault);
    CHECK(other.rule.empty());
  }
  SUBCASE("who is held off") {
    f.ask<UserLimit>(known, SetLimit{id("u"), 1, {}, {}});
    Start back{id("u"), id("s3")};
    back.details.device = "tv";
    CHECK(f.ask<Denied>(known, back).hold_off.has_value());
    f.start(other, "s4", "laptop");
    CHECK(f.ask<Granted>(other, back).evicted == std::vector<std::string>{"s4"});
  }
  SUBCASE("as it was given, where nothing was asked") {
    const std::string before = described(known);
    f.judge.open(std::move(known), f.clock.now());
    CHECK(described(f.judge.close()) == before);
  }
}

TEST_CASE("Judge forgets which names a device left, and how fast a user starts") {
  Policy policy;
  policy.start_rate = 2;
  JudgeFixture f(policy);
  UserState known = nobody();
  f.start(known, "s1", "tv");
  f.start(known, "s2", "tv");
  CHECK(known.replaced.size() == 1);
  CHECK(known.starts_due.has_value());
  f.ask<Throttled>(known, Start{id("u"), id("s3")});
  UserState other = nobody();
  f.start(other, "s3");
  CHECK(other.replaced.empty());
}

TEST_CASE("Judge gives back of the past what still counts") {
  JudgeFixture f;
  UserState state = nobody();
  f.start(state, "s1", "tv");
  f.start(state, "s2", "tv");
  f.start(state, "s1", "tv");
  REQUIRE_FALSE(state.replaced.empty());
  REQUIRE_FALSE(state.marks.empty());
  SUBCASE("until hold-off is over") {
    f.clock.tick(kDefaultHoldOff - 1ms);
    f.ask<Unknown>(state, Heartbeat{id("u"), id("none")});
    CHECK_FALSE(state.replaced.empty());
    CHECK_FALSE(state.marks.empty());
  }
  SUBCASE("and no longer, so that no user grows for ever") {
    f.clock.tick(kDefaultHoldOff);
    f.ask<Unknown>(state, Heartbeat{id("u"), id("none")});
    CHECK(state.replaced.empty());
    CHECK(state.marks.empty());
  }
}

TEST_CASE("Judge's notes are counted once, when their time has come") {
  JudgeFixture f;
  UserState state = nobody();
  f.start(state, "s1");
  const auto notes = f.judge.take_notes();
  CHECK(notes.size() == 1);
  CHECK(f.judge.take_notes().empty());
  f.judge.flush_usage(10, f.clock.now());
  CHECK(f.judge.take_usage().empty());
  f.judge.count("u", notes, f.clock.now());
  f.judge.flush_usage(10, f.clock.now());
  const auto usage = f.judge.take_usage();
  REQUIRE(usage.size() == 1);
  CHECK(usage[0].user == "u");
  CHECK(usage[0].usage.starts == 1);
  CHECK(f.judge.take_usage().empty());
}

TEST_CASE("Judge keeps with each session and each of the gone what no rule looks at") {
  JudgeFixture f;
  UserState state = nobody();
  f.start(state, "s1");
  f.start(state, "s2");
  state.sessions[0].box = 11;
  state.sessions[0].row_rest = "row";
  state.sessions[0].lease_rest = "lease";
  f.ask<Ended>(state, End{id("u"), id("s2")});
  state.gone[0].far = true;
  state.gone[0].rest = "rest";
  f.clock.tick(1s);
  SUBCASE("through a heartbeat") { f.ask<Granted>(state, Heartbeat{id("u"), id("s1")}); }
  SUBCASE("through another's start and end") {
    f.start(state, "s3");
    f.ask<Ended>(state, End{id("u"), id("s3")});
  }
  REQUIRE(state.sessions.size() == 1);
  CHECK(state.sessions[0].box == 11);
  CHECK(state.sessions[0].row_rest == "row");
  CHECK(state.sessions[0].lease_rest == "lease");
  CHECK(state.gone[0].far);
  CHECK(state.gone[0].rest == "rest");
  SUBCASE("but not with another session of that name, decided together") {
    f.judge.open(std::move(state), f.clock.now());
    f.judge.apply(End{id("u"), id("s1")}, ++f.last_start);
    f.judge.apply(Start{id("u"), id("s1")}, ++f.last_start);
    state = f.judge.close();
    REQUIRE(state.sessions.size() == 1);
    CHECK(state.sessions[0].box == 0);
    CHECK(state.sessions[0].row_rest.empty());
  }
  SUBCASE("but not with another session of that name") {
    f.ask<Ended>(state, End{id("u"), id("s1")});
    f.start(state, "s1");
    f.start(state, "s2");
    for (const auto& each : state.sessions) {
      CHECK(each.box == 0);
      CHECK(each.row_rest.empty());
    }
    f.ask<Ended>(state, End{id("u"), id("s2")});
    CHECK_FALSE(state.gone.back().far);
    CHECK(state.gone.back().rest.empty());
  }
}
