// What is stored, restored and taken back of sessions that are let in for a while.
#include "session/registry.hpp"

#include "rules/rule_text.hpp"
#include "support/overlap_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::OverlapFixture;
using concur::test::with_overlap;

TEST_CASE("Registry: a session that is let in for a while is stored as such") {
  OverlapFixture fixture;
  SUBCASE("with its start, and until it stays") {
    fixture.store_sessions();
    fixture.stores = false;
    fixture.start("abc", "s4");
    auto changes = fixture.store_sessions();
    REQUIRE(changes.size() == 1);
    const auto& row = std::get<Insert>(changes.at(0)).row;
    const std::int64_t id_of_it = row.id;
    REQUIRE(row.overlap != nullptr);
    CHECK(*row.overlap == Overlap{5s, {}});
    fixture.end("s1");
    fixture.clock.tick(5s);
    fixture.store_sessions();
    fixture.list("abc");
    changes = fixture.store_sessions();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<SetOverlap>(changes.at(0)).id == id_of_it);
    CHECK_FALSE(std::get<SetOverlap>(changes.at(0)).overlap);
  }
  SUBCASE("and judged at the first look after a restart") {
    fixture.start("abc", "s4");
    fixture.clock.tick(20s);
    Registry restarted = fixture.restarted();
    const auto answer =
        restarted.apply(Heartbeat{id("abc"), id("s4"), {}, {}}, fixture.clock.now()).answer;
    CHECK(std::get<Gone>(answer).reason == EndReason::kDenied);
  }
  SUBCASE("and that it was refused is known after a restart") {
    fixture.start("abc", "s4");
    fixture.clock.tick(5s);
    fixture.list("abc");
    fixture.clock.tick(1s);
    Registry restarted = fixture.restarted();
    const auto ask = [&](const Command& command) {
      return restarted.apply(command, fixture.clock.now()).answer;
    };
    CHECK(std::get<Gone>(ask(Heartbeat{id("abc"), id("s4"), {}, {}})).reason == EndReason::kDenied);
    CHECK(std::holds_alternative<Denied>(ask(Start{id("abc"), id("s5")})));
    fixture.clock.tick(9s);
    CHECK(std::get<Granted>(ask(Start{id("abc"), id("s5")})).grace_ends_at);
  }
  SUBCASE("and is again what it was, where what became of it could not be stored") {
    fixture.start("abc", "s4");
    SUBCASE("its end") { fixture.clock.tick(5s); }
    SUBCASE("that it stays") {
      fixture.end("s1");
      fixture.clock.tick(5s);
    }
    const std::string before = fixture.events();
    fixture.stores = false;
    const std::string names = fixture.names("abc");
    fixture.registry.roll_back();
    fixture.stores = true;
    CHECK(fixture.events().empty());
    CHECK(fixture.names("abc") == names);
    CHECK_FALSE(fixture.events().empty());
    fixture.registry.sweep(1000, 1s, fixture.clock.now());
    CHECK(fixture.names("abc") == names);
  }
  SUBCASE("unless its start could not") {
    fixture.stores = false;
    fixture.start("abc", "s4");
    fixture.registry.roll_back();
    fixture.stores = true;
    CHECK(fixture.names("abc") == "s1 s2 s3");
    CHECK(fixture.start("abc", "s4").grace_ends_at);
  }
}

TEST_CASE("Registry: of several that were refused that one counts whose pause lasts longest") {
  // The first was refused by a wall clock that was set back since: as of now, at each restart.
  OverlapFixture fixture;
  const Now now = fixture.clock.now();
  Policy policy = test::unthrottled();
  policy.limit = 1;
  policy.overlap = 5s;
  Registry restarted(policy, 2);
  const auto refused = [](std::int64_t number, const char* session, Instant at) {
    GoneRow row;
    row.id = number;
    row.user = "abc";
    row.session = session;
    row.reason = EndReason::kDenied;
    row.at = at;
    row.ttl = 90s;
    return row;
  };
  const auto ask = [&](const Command& command) {
    return restarted.apply(command, fixture.clock.now()).answer;
  };
  const auto confirm = [&] {
    restarted.take_changes();
    restarted.confirm(restarted.last_change());
  };
  CHECK(restarted.restore(refused(1, "s4", now.instant + 1h), now));
  SUBCASE("of two that are restored") {
    CHECK(restarted.restore(refused(2, "s5", now.instant - 9s), now));
    CHECK(std::holds_alternative<Granted>(ask(Start{id("abc"), id("s1")})));
  }
  SUBCASE("and of one that has to go at the first look, whether that can be stored or not") {
    for (const char* session : {"s1", "s5"}) {
      Row row;
      row.id = session[1] - '0';
      row.user = "abc";
      row.session = session;
      row.started = row.last_seen = now.instant - 14s;
      row.expires = now.instant + 90s;
      row.ttl = 90s;
      if (row.id == 5) row.overlap = std::make_unique<Overlap>(Overlap{5s, {}});
      CHECK(restarted.restore(std::move(row), now));
    }
    CHECK(std::get<UserSessions>(ask(ListUser{id("abc")})).active == 1);
    restarted.roll_back();
    CHECK(std::get<UserSessions>(ask(ListUser{id("abc")})).active == 1);
  }
  confirm();
  fixture.clock.tick(10s - 1ms);
  CHECK(std::holds_alternative<Denied>(ask(Start{id("abc"), id("s6")})));
  fixture.clock.tick(1ms);
  CHECK(std::holds_alternative<Granted>(ask(Start{id("abc"), id("s6")})));
}

TEST_CASE("Registry: who changes over is no sharer, and who is refused is") {
  OverlapFixture fixture;
  const auto usage_of = [&] {
    fixture.registry.flush_usage(100, fixture.clock.now());
    Usage sum;
    for (Change& each : fixture.store()) {
      if (const auto* part = std::get_if<AddUsage>(&each)) {
        sum.denials += part->usage.denials;
        sum.by_rule.add(part->usage.by_rule);
        sum.excess = std::max(sum.excess, part->usage.excess);
        sum.peak = std::max(sum.peak, part->usage.peak);
      }
    }
    return sum;
  };
  fixture.start("abc", "s4");
  SUBCASE("changes over") {
    fixture.end("s1");
    fixture.clock.tick(5s);
    fixture.list("abc");
    const Usage usage = usage_of();
    CHECK(usage.denials == 0);
    CHECK(usage.excess == 0);
    CHECK(usage.peak == 3);
  }
  SUBCASE("is refused") {
    fixture.clock.tick(5s);
    fixture.list("abc");
    const Usage usage = usage_of();
    CHECK(usage.denials == 1);
    CHECK(usage.excess == 1);
  }
  SUBCASE("is refused once, though that could not be stored at first") {
    fixture.clock.tick(5s);
    fixture.store();
    fixture.stores = false;
    fixture.list("abc");
    fixture.registry.roll_back();
    fixture.stores = true;
    fixture.list("abc");
    CHECK(usage_of().denials == 1);
  }
  SUBCASE("is refused once by a rule, though that could not be stored at first") {
    auto all = std::make_shared<RuleSet>();
    REQUIRE(all->add(*parse_rule("film", "max 1 sessions per content")).has_value());
    Rules rules = with_overlap(5s);
    rules.rules = all;
    fixture.set_policy(rules);
    Start start{id("xyz"), id("s1")};
    start.details.content = "film";
    fixture.ask<Granted>(start);
    start.session = id("s2");
    REQUIRE(fixture.ask<Granted>(start).grace_ends_at);
    fixture.clock.tick(5s);
    fixture.stores = false;
    CHECK(fixture.names("xyz") == "s1");
    fixture.registry.roll_back();
    fixture.stores = true;
    CHECK(fixture.names("xyz") == "s1");
    const Usage usage = usage_of();
    CHECK(usage.denials == 1);
    CHECK(usage.by_rule.find("film") == 1);
  }
}
