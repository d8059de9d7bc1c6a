// What the registry does in bounded steps.
#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <random>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

std::string name(std::size_t number) { return "u" + std::to_string(number); }

void fill(RegistryFixture& fixture, std::size_t users) {
  for (std::size_t i = 0; i < users; ++i) fixture.start(name(i), "s");
}

std::size_t saves(const std::vector<Change>& changes) {
  std::size_t count = 0;
  for (const Change& change : changes) count += std::holds_alternative<Save>(change) ? 1 : 0;
  return count;
}

// What an answer says of leases.
std::string text_of(const Answer& answer) {
  std::string text = std::to_string(answer.index());
  const auto add = [&text](std::string_view what) { text += " " + std::string(what); };
  if (const auto* granted = std::get_if<Granted>(&answer)) {
    add(std::to_string(granted->active) + " " + format_utc(granted->expires_at));
  }
  if (const auto* denied = std::get_if<Denied>(&answer)) {
    add(std::to_string(denied->active) + " " +
        std::to_string(denied->retry_after.value_or(Millis(-1)).count()));
    for (const SessionInfo& each : denied->sessions) add(format_utc(each.expires_at));
  }
  if (const auto* gone = std::get_if<Gone>(&answer)) {
    add(std::to_string(static_cast<int>(gone->reason)));
  }
  if (const auto* ended = std::get_if<Ended>(&answer)) add(std::to_string(ended->active));
  if (const auto* list = std::get_if<UserSessions>(&answer)) {
    for (const SessionInfo& each : list->sessions) {
      add(each.session + format_utc(each.last_seen_at) + format_utc(each.expires_at));
    }
  }
  return text;
}

}  // namespace

TEST_CASE("Registry::save_some looks at so many slots a step") {
  RegistryFixture fixture;
  fill(fixture, 10);
  fixture.clock.tick(1s);
  for (std::size_t i = 0; i < 10; ++i) fixture.ask(Heartbeat{id(name(i)), id("s")});
  SaveCursor cursor;
  const auto step = [&](std::uint32_t slots) {
    return fixture.registry.save_some(cursor, slots, fixture.clock.now());
  };
  SUBCASE("and then hands over so many parts of the record") {
    CHECK(step(4));
    CHECK(saves(fixture.store()) == 4);
    CHECK(step(4));
    CHECK(saves(fixture.store()) == 4);
    CHECK(step(4));
    const auto third = fixture.store();
    CHECK(saves(third) == 2);
    CHECK(third.size() == 2 + 4);
    CHECK(step(4));
    CHECK(fixture.store().size() == 4);
    CHECK_FALSE(step(4));
    CHECK(fixture.store().size() == 2);
    CHECK_FALSE(step(4));
    CHECK(fixture.store().empty());
  }
  SUBCASE("ends what has expired, and of that user the rest") {
    fixture.clock.tick(90s);
    CHECK(step(1));
    CHECK(fixture.registry.active_sessions() == 9);
  }
  SUBCASE("comes to its end though users stay in the record, who still want to watch") {
    fixture.set_policy({.limit = 1});
    for (std::size_t i = 0; i < 10; ++i) fixture.denied(name(i), "t");
    int steps = 1;
    for (; step(4); ++steps) REQUIRE(steps < 100);
    CHECK(steps == 5);
  }
}

TEST_CASE("Registry::wake takes no longer for many sessions than for one") {
  RegistryFixture fixture;
  fill(fixture, 100);
  fixture.clock.tick(300s);
  fixture.registry.wake(300s, fixture.clock.now());
  SUBCASE("each has its grace when the sweeper comes by, some slots at a time") {
    fixture.clock.tick(30s - 1ms);
    for (int step = 0; step < 10; ++step) fixture.registry.sweep(10, 0ms, fixture.clock.now());
    CHECK(fixture.registry.active_sessions() == 100);
    fixture.clock.tick(1ms);
    fixture.registry.sweep(10, 0ms, fixture.clock.now());
    CHECK(fixture.registry.active_sessions() == 90);
  }
  SUBCASE("or when its user is asked about, though nobody swept") {
    CHECK(fixture.list(name(7)).sessions.at(0).expires_at == fixture.clock.now().wall() + 30s);
    fixture.clock.tick(30s - 1ms);
    CHECK(fixture.ask<Granted>(Heartbeat{id(name(8)), id("s")}).renewed);
    fixture.clock.tick(1ms);
    CHECK(fixture.ask<Gone>(Heartbeat{id(name(9)), id("s")}).reason == EndReason::kExpired);
  }
}

// One registry looks at all sessions as soon as it wakes; the other at each when its turn comes.
// Nobody can tell them apart.
TEST_CASE("Registry::wake is exact, whenever a session is looked at") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](unsigned below) { return static_cast<int>(random() % below); };
    RegistryFixture lazy;
    RegistryFixture eager;
    const auto both = [&](const Command& command) {
      CHECK(text_of(lazy.ask(command)) == text_of(eager.ask(command)));
    };
    const auto tick = [&](Millis by) {
      lazy.clock.tick(by);
      eager.clock.tick(by);
    };
    for (int step = 0; step < 60; ++step) {
      const std::string user(1, static_cast<char>('a' + pick(3)));
      const std::string session(1, static_cast<char>('p' + pick(5)));
      Start start{id(user), id(session)};
      if (pick(3) == 0) start.ttl = Millis(pick(2) == 0 ? 3s : 600s);
      if (pick(3) == 0) start.on_limit = OnLimit::kEvictOldest;
      const Command commands[] = {start, start, start, Heartbeat{id(user), id(session)},
                                  End{id(user), id(session)}};
      both(commands[pick(std::size(commands))]);
      if (pick(2) == 0) tick(Millis(pick(40'000)));
      if (pick(4) == 0) {
        const Millis slept(1000 + pick(200'000));
        tick(slept);
        lazy.registry.wake(slept, lazy.clock.now());
        eager.registry.wake(slept, eager.clock.now());
        eager.ask(ListAll{});
      }
      if (pick(5) == 0) {
        const auto slots = static_cast<std::uint32_t>(pick(8));
        lazy.registry.sweep(slots, 1s, lazy.clock.now());
        eager.registry.sweep(slots, 1s, eager.clock.now());
        CHECK(lazy.store().size() == eager.store().size());
      }
    }
    for (const char* user : {"a", "b", "c"}) both(ListUser{id(user)});
  }
}

TEST_CASE("Registry: who is above a plan's limit is counted, not looked for") {
  RegistryFixture fixture;
  fixture.ask<PlanInfo>(SetPlan{id("gold"), 2});
  const auto join = [&](const std::string& user) {
    fixture.ask<UserLimit>(SetLimit{id(user), {}, std::optional(id("gold"))});
  };
  const auto above = [&] { return fixture.ask<PlanInfo>(ShowPlan{id("gold")}).users_above; };
  const auto fill_above = [&](const std::string& user) {
    for (const char* session : {"s1", "s2", "s3"}) {
      Start start{id(user), id(session)};
      start.limit = 5;
      fixture.ask<Granted>(start);
    }
  };
  SUBCASE("as sessions come and go, and rules change") {
    join("abc");
    fill_above("abc");
    fill_above("late");
    CHECK(above() == 1);
    join("late");
    CHECK(above() == 2);
    fixture.ask(End{id("abc"), id("s1")});
    CHECK(above() == 1);
    fixture.ask(SetLimit{id("late"), 1});
    CHECK(above() == 0);
    CHECK(fixture.ask<PlanInfo>(SetPlan{id("gold"), 1}).users_above == 1);
    fixture.ask(Purge{});
    CHECK(above() == 0);
  }
  SUBCASE("as they are rolled back") {
    join("abc");
    fill_above("abc");
    fixture.stores = false;
    fixture.ask(End{id("abc"), id("s1")});
    join("xyz");
    fill_above("xyz");
    fixture.ask(SetLimit{id("abc"), 9});
    fixture.registry.roll_back();
    fixture.stores = true;
    CHECK(above() == 1);
    CHECK(fixture.ask<PlanInfo>(ShowPlan{id("gold")}).users == 1);
  }
  SUBCASE("without those who have expired and whom nobody has noticed") {
    join("abc");
    fill_above("abc");
    fixture.clock.tick(90s);
    CHECK(above() == 0);
    fixture.registry.sweep(10, 0ms, fixture.clock.now());
    CHECK(above() == 0);
  }
  SUBCASE("where there are very many users, with them until the sweeper came by") {
    fill(fixture, Registry::kListStep);
    join("abc");
    fill_above("abc");
    CHECK(above() == 1);
    fixture.clock.tick(90s);
    CHECK(above() == 1);
    fixture.registry.sweep(fixture.registry.slots(), 0ms, fixture.clock.now());
    CHECK(above() == 0);
  }
}

TEST_CASE("Registry::sweep counts who is at the limit, round by round") {
  RegistryFixture fixture;
  for (std::size_t i = 0; i < 40; ++i) {
    for (std::size_t session = 0; session <= i % 4; ++session) {
      fixture.ask(Start{id(name(i)), id(name(session))});
    }
  }
  const auto sweep_all = [&fixture] {
    for (std::uint32_t i = 0; i <= fixture.registry.slots(); i += 8) {
      fixture.registry.sweep(8, 1s, fixture.clock.now());
    }
  };
  CHECK(fixture.registry.users_at_limit() == 0);
  sweep_all();
  // Every fourth has two, every fourth three, as has every fourth who wanted four.
  sweep_all();
  CHECK(fixture.registry.users_at_limit() == 20);
  SUBCASE("by what is set for each") {
    SetLimit set{id("u0")};
    set.limit = 1;
    fixture.ask(set);
    set = SetLimit{id("u2")};
    set.limit = kUnlimited;
    fixture.ask(set);
    sweep_all();
    sweep_all();
    CHECK(fixture.registry.users_at_limit() == 20);
    Rules rules;
    rules.limit = kUnlimited;
    fixture.set_policy(rules);
    sweep_all();
    sweep_all();
    CHECK(fixture.registry.users_at_limit() == 1);
  }
  SUBCASE("and those are not who are gone") {
    fixture.clock.tick(91s);
    for (int i = 0; i < 3; ++i) sweep_all();  // a round may begin before the last has gone
    CHECK(fixture.registry.users_at_limit() == 0);
  }
  SUBCASE("but where the limit counts something else") {
    Rules rules;
    rules.counts = Attribute::Kind::kDevice;
    fixture.set_policy(rules);
    CHECK_FALSE(fixture.registry.users_at_limit());
  }
}
