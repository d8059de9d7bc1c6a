#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

TEST_CASE("Registry: leases") {
  RegistryFixture fixture;
  SUBCASE("a session is active to the last millisecond before its expiry and gone at it") {
    fixture.fill("abc");
    fixture.clock.tick(90s - 1ms);
    CHECK(fixture.denied("abc", "s4").retry_after == 1ms);
    CHECK(fixture.list("abc").active == 3);
    fixture.clock.tick(1ms);
    CHECK(fixture.list("abc").active == 0);
    CHECK(fixture.start("abc", "s4").active == 1);
  }
  SUBCASE("a heartbeat moves the expiry, one at the expiry comes too late") {
    fixture.start("abc", "s1");
    fixture.clock.tick(90s - 1ms);
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).expires_at ==
          fixture.clock.now().wall() + 90s);
    fixture.clock.tick(90s);
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kExpired);
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kExpired);
    CHECK(fixture.list("abc").active == 0);
  }
  SUBCASE("a start may bring its own lease, and a repeat change it") {
    Start start{id("abc"), id("s1"), 10s};
    const Granted granted = fixture.ask<Granted>(start);
    CHECK(granted.expires_at == fixture.clock.now().wall() + 10s);
    CHECK(granted.heartbeat_interval == 3333ms);
    start.ttl = 2s;
    fixture.ask<Granted>(start);
    CHECK(fixture.registry.shortest_lease() == 2s);
    fixture.clock.tick(2s);
    CHECK(fixture.list("abc").active == 0);
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kExpired);
  }
  SUBCASE("retryAfter is the earliest expiry, whichever session has it") {
    fixture.fill("abc");
    fixture.clock.tick(30s);
    fixture.start("abc", "s1");
    fixture.start("abc", "s2");
    CHECK(fixture.denied("abc", "s4").retry_after == 60s);
  }
  SUBCASE("setting the wall clock neither expires nor prolongs") {
    fixture.fill("abc");
    fixture.clock.set_wall(fixture.clock.now().wall() + 24h);
    CHECK(fixture.denied("abc", "s4").retry_after == 90s);
    fixture.clock.set_wall(fixture.clock.now().wall() - 48h);
    fixture.clock.tick(90s - 1ms);
    CHECK(fixture.list("abc").active == 3);
    fixture.clock.tick(1ms);
    CHECK(fixture.list("abc").active == 0);
  }
  SUBCASE("a look at the list is no sign of life") {
    fixture.start("abc", "s1");
    const WallTime seen = fixture.list("abc").sessions[0].last_seen_at;
    fixture.clock.tick(5s);
    CHECK(fixture.list("abc").sessions[0].last_seen_at == seen);
  }
}

TEST_CASE("Registry: saving leases") {
  RegistryFixture fixture;
  fixture.start("abc", "s1");
  const auto saves = [&] {
    std::size_t count = 0;
    for (const Change& change : fixture.store())
      count += std::holds_alternative<Save>(change) ? 1 : 0;
    return count;
  };
  SUBCASE("a heartbeat alone changes nothing in the store") {
    fixture.clock.tick(10s);
    fixture.stores = false;
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    CHECK_FALSE(fixture.registry.has_changes());
  }
  SUBCASE("the sweeper saves it before it is a third of a lease old, and once") {
    fixture.clock.tick(10s);
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    fixture.registry.sweep(10, 10s, fixture.clock.now());
    CHECK(saves() == 0);  // 10 s old, looked at again at 20 s
    fixture.clock.tick(10s);
    fixture.registry.sweep(10, 10s, fixture.clock.now());
    CHECK(saves() == 1);
    fixture.clock.tick(10s);
    fixture.registry.sweep(10, 10s, fixture.clock.now());
    CHECK(saves() == 0);
  }
  SUBCASE("a repeat that changes the lease is saved at once, and its answer waits for that") {
    fixture.stores = false;
    CHECK(fixture.waits_for(Start{id("abc"), id("s1"), 1h}) == 2);
    const auto changes = fixture.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<Save>(changes[0]).ttl == 1h);
    CHECK(fixture.waits_for(Start{id("abc"), id("s1"), 1h}) == 0);
  }
  SUBCASE("a clean stop ends what has expired") {
    fixture.clock.tick(90s);
    fixture.save_all();
    CHECK(std::holds_alternative<Remove>(fixture.store().at(0)));
  }
  SUBCASE("a heartbeat needs no store though another session of its user has expired") {
    fixture.ask(Start{id("abc"), id("short"), 5s});
    fixture.clock.tick(5s);
    fixture.stores = false;
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) == 0);
    CHECK_FALSE(fixture.registry.has_changes());
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).active == 1);
  }
  SUBCASE("a clean stop saves all") {
    fixture.clock.tick(1ms);
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    fixture.save_all();
    const auto changes = fixture.store_sessions();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<Save>(changes[0]).expires == fixture.clock.now().instant + 90s);
  }
  SUBCASE("a failed save is tried again") {
    fixture.clock.tick(30s);
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    fixture.registry.sweep(10, 1s, fixture.clock.now());
    fixture.registry.roll_back();
    fixture.registry.sweep(10, 1s, fixture.clock.now());
    CHECK(saves() == 1);
  }
}

TEST_CASE("Registry: suspend") {
  RegistryFixture fixture;
  fixture.set_policy({5, 90s});
  fixture.ask(Start{id("abc"), id("short"), 5s});
  fixture.clock.tick(5s);
  fixture.start("abc", "s1");
  fixture.clock.tick(10s);
  fixture.start("abc", "s2");
  fixture.clock.tick(300s);
  fixture.registry.wake(300s, fixture.clock.now());
  SUBCASE("whoever was active before it has a heartbeat interval to come back") {
    CHECK(fixture.names("abc") == "s1 s2");
    fixture.clock.tick(30s - 1ms);
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).renewed);
    fixture.clock.tick(1ms);
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s2")}).reason == EndReason::kExpired);
  }
  SUBCASE("what had expired before stays so") {
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("short")}).reason == EndReason::kExpired);
  }
}

TEST_CASE("Registry: sweep") {
  RegistryFixture fixture;
  SUBCASE("ends what has expired, no more slots at a time than it was given") {
    fixture.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 100; ++i) fixture.start("u" + std::to_string(i), "s");
    fixture.clock.tick(90s);
    fixture.registry.sweep(30, 1s, fixture.clock.now());
    CHECK(fixture.registry.active_sessions() == 70);
    for (int i = 0; i < 3; ++i) fixture.registry.sweep(30, 1s, fixture.clock.now());
    CHECK(fixture.registry.active_sessions() == 0);
    CHECK(fixture.store_sessions().size() == 100);
  }
}

TEST_CASE("Registry: restore") {
  RegistryFixture fixture;
  const Instant now = fixture.clock.now().instant;
  const auto row = [&](std::int64_t number, const char* session, Millis since_start, Millis left) {
    return Row{number,     "abc", session, now - since_start, now - since_start,
               now + left, 90s,   nullptr};
  };
  SUBCASE("takes a session with its times, and later rows come behind it") {
    CHECK(fixture.registry.restore(row(7, "s1", 20s, 70s), fixture.clock.now()));
    const auto listed = fixture.list("abc").sessions.at(0);
    CHECK(listed.started_at == fixture.clock.now().wall() - 20s);
    CHECK(listed.expires_at == fixture.clock.now().wall() + 70s);
    fixture.stores = false;
    fixture.start("abc", "s2");
    CHECK(std::get<Insert>(fixture.registry.take_changes().at(0)).row.id == 8);
  }
  SUBCASE("leaves at least a heartbeat interval, and no more than a lease") {
    fixture.registry.restore(row(1, "late", 120s, -30s), fixture.clock.now());
    fixture.registry.restore(row(2, "wild", 1s, 1000h), fixture.clock.now());
    CHECK(fixture.list("abc").sessions[0].expires_at == fixture.clock.now().wall() + 30s);
    CHECK(fixture.list("abc").sessions[0].last_seen_at == fixture.clock.now().wall() - 120s);
    CHECK(fixture.list("abc").sessions[1].expires_at == fixture.clock.now().wall() + 90s);
  }
  SUBCASE("gives no new session the id of a row that was left aside") {
    const std::int64_t by_time = fixture.clock.now().wall().time_since_epoch().count();
    fixture.registry.reserve_rows(by_time + 41, fixture.clock.now());
    fixture.stores = false;
    fixture.start("abc", "s2");
    CHECK(std::get<Insert>(fixture.registry.take_changes().at(0)).row.id > by_time + 41);
  }
  SUBCASE("refuses a second session of the same name") {
    CHECK(fixture.registry.restore(row(1, "s1", 1s, 9s), fixture.clock.now()));
    CHECK_FALSE(fixture.registry.restore(row(2, "s1", 1s, 9s), fixture.clock.now()));
    CHECK(fixture.list("abc").active == 1);
  }
  SUBCASE("more than the limit may come back; no new one may start") {
    for (int i = 1; i <= 5; ++i)
      fixture.registry.restore(row(i, std::to_string(i).c_str(), 1s, 60s), fixture.clock.now());
    CHECK(fixture.denied("abc", "s").attempted == 6);
  }
}
