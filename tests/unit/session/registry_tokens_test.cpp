#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

Heartbeat beat(const StartToken& start) { return {id("abc"), id("s1"), {}, start}; }
End end(const StartToken& start) { return {id("abc"), id("s1"), start}; }
Start repeat(const StartToken& start) {
  Start command{id("abc"), id("s1")};
  command.start = start;
  return command;
}

// As the store gives it back.
Row row(const Granted& granted, Instant started, const Now& now) {
  Row row;
  row.id = static_cast<std::int64_t>(granted.start.id);
  row.user = granted.user;
  row.session = granted.session;
  row.started = row.last_seen = started;
  row.expires = now.instant + 30s;
  row.ttl = 90s;
  row.start = granted.start.count;
  return row;
}

}  // namespace

TEST_CASE("Registry: tokens of starts") {
  RegistryFixture fixture;
  const StartToken first = fixture.start("abc", "s1").start;

  SUBCASE("a repeat without one is another start, and needs no commit") {
    fixture.stores = false;
    Granted second = fixture.start("abc", "s1");
    CHECK(second.renewed);
    CHECK(second.start > first);
    Decision third = fixture.registry.apply(Start{id("abc"), id("s1")}, fixture.clock.now());
    CHECK(third.waits_for == 0);
    CHECK(std::get<Granted>(third.answer).start > second.start);
    CHECK(fixture.registry.take_changes().empty());
  }
  SUBCASE("a repeat with that of the latest start renews as itself") {
    fixture.clock.tick(20s);
    const Granted same = fixture.ask<Granted>(repeat(first));
    CHECK(same.renewed);
    CHECK(same.start == first);
    CHECK(same.expires_at == fixture.clock.now().wall() + 90s);
  }
  SUBCASE("a repeat with an earlier one is another start") {
    const StartToken second = fixture.start("abc", "s1").start;
    CHECK(fixture.ask<Granted>(repeat(first)).start > second);
  }
  SUBCASE("a heartbeat of the latest start renews, and has its token in the answer") {
    const StartToken second = fixture.start("abc", "s1").start;
    CHECK(fixture.ask<Granted>(beat(second)).start == second);
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).start == second);
  }
  SUBCASE("a heartbeat of an earlier start changes nothing") {
    fixture.start("abc", "s1");
    fixture.clock.tick(20s);
    const Gone gone = fixture.ask<Gone>(beat(first));
    CHECK(gone.reason == EndReason::kOtherStart);
    CHECK_FALSE(gone.eviction);
    CHECK(fixture.list("abc").sessions[0].last_seen_at == fixture.clock.now().wall() - 20s);
    CHECK(fixture.store().empty());
  }
  SUBCASE("an end of an earlier start changes nothing, that of the latest ends") {
    const StartToken second = fixture.start("abc", "s1").start;
    const Ended late = fixture.ask<Ended>(end(first));
    CHECK_FALSE(late.ended);
    CHECK(late.reason == EndReason::kOtherStart);
    CHECK(late.active == 1);
    CHECK(fixture.ask<Ended>(end(second)).ended);
    CHECK(fixture.list("abc").active == 0);
  }
  SUBCASE("without one whichever start is active is meant") {
    fixture.start("abc", "s1");
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).renewed);
    CHECK(fixture.ask<Ended>(End{id("abc"), id("s1")}).ended);
  }
  SUBCASE("a session that ended and began anew has a later one") {
    fixture.ask(end(first));
    const StartToken anew = fixture.start("abc", "s1").start;
    CHECK(anew > first);
    CHECK_FALSE(fixture.ask<Ended>(end(first)).ended);
    CHECK(fixture.ask<Gone>(beat(first)).reason == EndReason::kOtherStart);
    CHECK(fixture.ask<Ended>(end(anew)).ended);
  }
  SUBCASE("of a gone session only the latest start is told why it went") {
    const StartToken second = fixture.start("abc", "s1").start;
    fixture.ask(Purge{id("abc")});
    CHECK(fixture.ask<Gone>(beat(second)).reason == EndReason::kPurged);
    CHECK(fixture.ask<Ended>(end(second)).reason == EndReason::kPurged);
    CHECK(fixture.ask<Gone>(beat(first)).reason == EndReason::kOtherStart);
    CHECK(fixture.ask<Ended>(end(first)).reason == EndReason::kOtherStart);
  }
  SUBCASE("a session that expired is told so to its latest start, and a late end ends nothing") {
    fixture.clock.tick(90s);
    CHECK(fixture.ask<Gone>(beat(first)).reason == EndReason::kExpired);
    CHECK(fixture.ask<Ended>(end(first)).reason == EndReason::kExpired);
  }
  SUBCASE("who knows no tokens does not change it") {
    Start start{id("abc"), id("s1")};
    start.keeps_token = true;
    CHECK(fixture.ask<Granted>(start).start == first);
    CHECK(fixture.ask<Granted>(beat(first)).renewed);
  }
  SUBCASE("one with another's names is refused as any other") {
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("s2"), {}, first});
    CHECK_FALSE(fixture.ask<Ended>(End{id("xyz"), id("s1"), first}).reason);
  }
}

TEST_CASE("Registry: tokens after a restart") {
  RegistryFixture before;
  const Instant started = before.clock.now().instant;
  before.start("abc", "s1");
  before.clock.tick(1min);
  const Granted stored = before.start("abc", "s1");
  before.save_all();
  const auto changes = before.store_sessions();
  REQUIRE(changes.size() == 1);
  CHECK(std::get<Save>(changes[0]).start == stored.start.count);
  before.clock.tick(1s);
  const Granted second = before.start("abc", "s1");
  before.clock.tick(1s);
  const Granted third = before.start("abc", "s1");

  RegistryFixture fixture;
  fixture.clock = before.clock;
  fixture.registry.restore(row(stored, started, fixture.clock.now()), fixture.clock.now());

  SUBCASE("the one that was saved is known") {
    CHECK(fixture.ask<Granted>(beat(stored.start)).start == stored.start);
    CHECK(fixture.ask<Ended>(end(StartToken{stored.start.id, stored.start.count - 1})).reason ==
          EndReason::kOtherStart);
  }
  SUBCASE("a later one is accepted, and from then on no earlier one is") {
    CHECK(fixture.ask<Granted>(beat(third.start)).start == third.start);
    CHECK(fixture.ask<Gone>(beat(second.start)).reason == EndReason::kOtherStart);
    CHECK(fixture.ask<Ended>(end(stored.start)).reason == EndReason::kOtherStart);
    CHECK(fixture.ask<Ended>(end(third.start)).ended);
  }
  SUBCASE("so it is by a repeat, which renews as itself") {
    CHECK(fixture.ask<Granted>(repeat(third.start)).start == third.start);
    CHECK(fixture.ask<Gone>(beat(second.start)).reason == EndReason::kOtherStart);
  }
  SUBCASE("an end with a later one ends") { CHECK(fixture.ask<Ended>(end(second.start)).ended); }
  SUBCASE("no start gets one that was given before, and forgotten") {
    fixture.clock.tick(10ms);
    const Granted next = fixture.start("abc", "s1");
    CHECK(next.start > third.start);
    CHECK(fixture.ask<Ended>(end(third.start)).reason == EndReason::kOtherStart);
    CHECK(fixture.ask<Ended>(end(next.start)).ended);
  }
  SUBCASE("a made-up one does not use the numbers up") {
    CHECK(fixture.ask<Granted>(beat({stored.start.id, UINT32_MAX})).start.count < 60'000);
    const Granted next = fixture.start("abc", "s1");
    CHECK(fixture.start("abc", "s1").start > next.start);
  }
  SUBCASE("one of a session that was lost is accepted too") {
    const StartToken lost{stored.start.id + 1, 0};
    CHECK(fixture.ask<Granted>(beat(lost)).start == stored.start);
    CHECK(fixture.ask<Ended>(end(lost)).ended);
  }
}

TEST_CASE("Registry: ids of sessions go on after those of an earlier run, though none is stored") {
  RegistryFixture before;
  before.registry.reserve_rows(0, before.clock.now());
  const StartToken old = before.start("abc", "s1").start;
  RegistryFixture fixture;
  fixture.clock = before.clock;
  SUBCASE("by the wall clock") {
    fixture.clock.tick(1s);
    fixture.registry.reserve_rows(0, fixture.clock.now());
  }
  SUBCASE("and where that was set back, beyond those that may have followed the last one stored") {
    fixture.clock.set_wall(fixture.clock.now().wall() - 48h);
    fixture.registry.reserve_rows(static_cast<std::int64_t>(old.id) - 1000, fixture.clock.now());
  }
  fixture.start("abc", "s1");
  CHECK(fixture.ask<Ended>(end(old)).reason == EndReason::kOtherStart);
}

TEST_CASE("Registry: a heartbeat with a lease of its own") {
  RegistryFixture fixture;
  fixture.start("abc", "s1");
  fixture.clock.tick(10s);
  SUBCASE("changes it from then on, and is answered once that is stored") {
    fixture.stores = false;
    const Decision decision =
        fixture.registry.apply(Heartbeat{id("abc"), id("s1"), 30s}, fixture.clock.now());
    const Granted granted = std::get<Granted>(decision.answer);
    CHECK(granted.expires_at == fixture.clock.now().wall() + 30s);
    CHECK(granted.heartbeat_interval == 10s);
    CHECK(decision.waits_for == fixture.registry.last_change());
    const auto changes = fixture.store_sessions();
    CHECK(std::get<Save>(changes.at(0)).ttl == 30s);
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).heartbeat_interval == 10s);
  }
  SUBCASE("that is the same needs no commit") {
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1"), 90s}) == 0);
    CHECK(fixture.store().empty());
  }
  SUBCASE("that could not be stored has the one before") {
    fixture.stores = false;
    fixture.ask<Granted>(Heartbeat{id("abc"), id("s1"), 1h});
    fixture.registry.roll_back();
    fixture.stores = true;
    CHECK(fixture.list("abc").sessions[0].expires_at == fixture.clock.now().wall() + 90s);
  }
  SUBCASE("of an earlier start changes nothing") {
    const StartToken first = fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).start;
    fixture.start("abc", "s1");
    fixture.ask<Gone>(Heartbeat{id("abc"), id("s1"), 1h, first});
    CHECK(fixture.list("abc").sessions[0].expires_at == fixture.clock.now().wall() + 90s);
  }
}
