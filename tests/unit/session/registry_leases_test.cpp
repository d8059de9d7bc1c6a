#include "session/registry.hpp"

#include "support/house.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::House;
using concur::test::id;

TEST_CASE("Registry: leases") {
  House house;
  SUBCASE("a session is active to the last millisecond before its expiry and gone at it") {
    house.fill("abc");
    house.clock.tick(90s - 1ms);
    CHECK(house.denied("abc", "s4").retry_after == 1ms);
    CHECK(house.list("abc").active == 3);
    house.clock.tick(1ms);
    CHECK(house.list("abc").active == 0);
    CHECK(house.start("abc", "s4").active == 1);
  }
  SUBCASE("a heartbeat moves the expiry, one at the expiry comes too late") {
    house.start("abc", "s1");
    house.clock.tick(90s - 1ms);
    CHECK(house.ask<Granted>(Heartbeat{id("abc"), id("s1")}).expires_at ==
          house.clock.now().wall() + 90s);
    house.clock.tick(90s);
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kExpired);
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kExpired);
    CHECK(house.list("abc").active == 0);
  }
  SUBCASE("a start may bring its own lease, and a repeat change it") {
    Start start{id("abc"), id("s1"), 10s};
    const Granted granted = house.ask<Granted>(start);
    CHECK(granted.expires_at == house.clock.now().wall() + 10s);
    CHECK(granted.heartbeat_interval == 3333ms);
    start.ttl = 2s;
    house.ask<Granted>(start);
    CHECK(house.registry.shortest_lease() == 2s);
    house.clock.tick(2s);
    CHECK(house.list("abc").active == 0);
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kExpired);
  }
  SUBCASE("retryAfter is the earliest expiry, whichever session has it") {
    house.fill("abc");
    house.clock.tick(30s);
    house.start("abc", "s1");
    house.start("abc", "s2");
    CHECK(house.denied("abc", "s4").retry_after == 60s);
  }
  SUBCASE("setting the wall clock neither expires nor prolongs") {
    house.fill("abc");
    house.clock.set_wall(house.clock.now().wall() + 24h);
    CHECK(house.denied("abc", "s4").retry_after == 90s);
    house.clock.set_wall(house.clock.now().wall() - 48h);
    house.clock.tick(90s - 1ms);
    CHECK(house.list("abc").active == 3);
    house.clock.tick(1ms);
    CHECK(house.list("abc").active == 0);
  }
  SUBCASE("a look at the list is no sign of life") {
    house.start("abc", "s1");
    const WallTime seen = house.list("abc").sessions[0].last_seen_at;
    house.clock.tick(5s);
    CHECK(house.list("abc").sessions[0].last_seen_at == seen);
  }
}

TEST_CASE("Registry: saving leases") {
  House house;
  house.start("abc", "s1");
  const auto saves = [&] {
    std::size_t count = 0;
    for (const Change& change : house.store())
      count += std::holds_alternative<Save>(change) ? 1 : 0;
    return count;
  };
  SUBCASE("a heartbeat alone changes nothing in the store") {
    house.clock.tick(10s);
    house.stores = false;
    house.ask(Heartbeat{id("abc"), id("s1")});
    CHECK_FALSE(house.registry.has_changes());
  }
  SUBCASE("the sweeper saves it before it is a third of a lease old, and once") {
    house.clock.tick(10s);
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.registry.sweep(10, 10s, house.clock.now());
    CHECK(saves() == 0);  // 10 s old, looked at again at 20 s
    house.clock.tick(10s);
    house.registry.sweep(10, 10s, house.clock.now());
    CHECK(saves() == 1);
    house.clock.tick(10s);
    house.registry.sweep(10, 10s, house.clock.now());
    CHECK(saves() == 0);
  }
  SUBCASE("a repeat that changes the lease is saved at once, and its answer waits for that") {
    house.stores = false;
    CHECK(house.waits_for(Start{id("abc"), id("s1"), 1h}) == 2);
    const auto changes = house.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<Save>(changes[0]).ttl == 1h);
    CHECK(house.waits_for(Start{id("abc"), id("s1"), 1h}) == 0);
  }
  SUBCASE("a clean stop ends what has expired") {
    house.clock.tick(90s);
    house.save_all();
    CHECK(std::holds_alternative<Remove>(house.store().at(0)));
  }
  SUBCASE("a heartbeat needs no store though another session of its user has expired") {
    house.ask(Start{id("abc"), id("short"), 5s});
    house.clock.tick(5s);
    house.stores = false;
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) == 0);
    CHECK_FALSE(house.registry.has_changes());
    CHECK(house.ask<Granted>(Heartbeat{id("abc"), id("s1")}).active == 1);
  }
  SUBCASE("a clean stop saves all") {
    house.clock.tick(1ms);
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.save_all();
    const auto changes = house.store_sessions();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<Save>(changes[0]).expires == house.clock.now().instant + 90s);
  }
  SUBCASE("a failed save is tried again") {
    house.clock.tick(30s);
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.registry.sweep(10, 1s, house.clock.now());
    house.registry.roll_back();
    house.registry.sweep(10, 1s, house.clock.now());
    CHECK(saves() == 1);
  }
}

TEST_CASE("Registry: suspend") {
  House house;
  house.set_policy({5, 90s});
  house.ask(Start{id("abc"), id("short"), 5s});
  house.clock.tick(5s);
  house.start("abc", "s1");
  house.clock.tick(10s);
  house.start("abc", "s2");
  house.clock.tick(300s);
  house.registry.wake(300s, house.clock.now());
  SUBCASE("whoever was active before it has a heartbeat interval to come back") {
    CHECK(house.names("abc") == "s1 s2");
    house.clock.tick(30s - 1ms);
    CHECK(house.ask<Granted>(Heartbeat{id("abc"), id("s1")}).renewed);
    house.clock.tick(1ms);
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s2")}).reason == EndReason::kExpired);
  }
  SUBCASE("what had expired before stays so") {
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("short")}).reason == EndReason::kExpired);
  }
}

TEST_CASE("Registry: sweep") {
  House house;
  SUBCASE("ends what has expired, no more slots at a time than it was given") {
    house.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 100; ++i) house.start("u" + std::to_string(i), "s");
    house.clock.tick(90s);
    house.registry.sweep(30, 1s, house.clock.now());
    CHECK(house.registry.active_sessions() == 70);
    for (int i = 0; i < 3; ++i) house.registry.sweep(30, 1s, house.clock.now());
    CHECK(house.registry.active_sessions() == 0);
    CHECK(house.store_sessions().size() == 100);
  }
}

TEST_CASE("Registry: restore") {
  House house;
  const Instant now = house.clock.now().instant;
  const auto row = [&](std::int64_t number, const char* session, Millis since_start, Millis left) {
    return Row{number,     "abc", session, now - since_start, now - since_start,
               now + left, 90s,   nullptr};
  };
  SUBCASE("takes a session with its times, and later rows come behind it") {
    CHECK(house.registry.restore(row(7, "s1", 20s, 70s), house.clock.now()));
    const auto listed = house.list("abc").sessions.at(0);
    CHECK(listed.started_at == house.clock.now().wall() - 20s);
    CHECK(listed.expires_at == house.clock.now().wall() + 70s);
    house.stores = false;
    house.start("abc", "s2");
    CHECK(std::get<Insert>(house.registry.take_changes().at(0)).row.id == 8);
  }
  SUBCASE("leaves at least a heartbeat interval, and no more than a lease") {
    house.registry.restore(row(1, "late", 120s, -30s), house.clock.now());
    house.registry.restore(row(2, "wild", 1s, 1000h), house.clock.now());
    CHECK(house.list("abc").sessions[0].expires_at == house.clock.now().wall() + 30s);
    CHECK(house.list("abc").sessions[0].last_seen_at == house.clock.now().wall() - 120s);
    CHECK(house.list("abc").sessions[1].expires_at == house.clock.now().wall() + 90s);
  }
  SUBCASE("gives no new session the id of a row that was left aside") {
    house.registry.reserve_rows(41);
    house.stores = false;
    house.start("abc", "s2");
    CHECK(std::get<Insert>(house.registry.take_changes().at(0)).row.id == 42);
  }
  SUBCASE("refuses a second session of the same name") {
    CHECK(house.registry.restore(row(1, "s1", 1s, 9s), house.clock.now()));
    CHECK_FALSE(house.registry.restore(row(2, "s1", 1s, 9s), house.clock.now()));
    CHECK(house.list("abc").active == 1);
  }
  SUBCASE("more than the limit may come back; no new one may start") {
    for (int i = 1; i <= 5; ++i)
      house.registry.restore(row(i, std::to_string(i).c_str(), 1s, 60s), house.clock.now());
    CHECK(house.denied("abc", "s").attempted == 6);
  }
}
