#include "session/registry.hpp"

#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;

namespace {

Id id(std::string_view text) { return *Id::parse("id", text); }

// A registry whose store always works, unless a test holds its word back.
struct House {
  FakeClock clock;
  Registry registry{Policy{}, 1};
  bool stores = true;

  template <class T = Answer>
  auto ask(const Command& command) {
    Decision decision = registry.apply(command, clock.now());
    if (stores) store();
    if constexpr (std::is_same_v<T, Answer>) {
      return decision.answer;
    } else {
      REQUIRE(std::holds_alternative<T>(decision.answer));
      return std::get<T>(decision.answer);
    }
  }
  Sequence waits_for(const Command& command) {
    return registry.apply(command, clock.now()).waits_for;
  }
  std::vector<Change> store() {
    auto changes = registry.take_changes();
    registry.confirm(registry.last_change());
    return changes;
  }

  Granted start(std::string_view user, std::string_view session) {
    return ask<Granted>(Start{id(user), id(session)});
  }
  Denied denied(std::string_view user, std::string_view session) {
    return ask<Denied>(Start{id(user), id(session)});
  }
  UserSessions list(std::string_view user) { return ask<UserSessions>(ListUser{id(user)}); }
  std::string names(std::string_view user) {
    std::string all;
    for (const auto& session : list(user).sessions)
      all += (all.empty() ? "" : " ") + session.session;
    return all;
  }
  void fill(std::string_view user) {
    for (const char* session : {"s1", "s2", "s3"}) start(user, session);
  }
};

}  // namespace

TEST_CASE("Registry: limits") {
  House house;
  SUBCASE("admits as many as the limit and refuses the next") {
    CHECK(house.start("abc", "s1").active == 1);
    CHECK(house.start("abc", "s2").active == 2);
    CHECK(house.start("abc", "s3").active == 3);
    const Denied denied = house.denied("abc", "s4");
    CHECK(denied.active == 3);
    CHECK(denied.attempted == 4);
    CHECK(denied.limit == 3);
    CHECK(denied.sessions.size() == 3);
    CHECK(house.names("abc") == "s1 s2 s3");
  }
  SUBCASE("counts each user alone") {
    house.fill("abc");
    CHECK(house.start("abd", "s1").active == 1);
    CHECK(house.start("ABC", "s1").active == 1);
  }
  SUBCASE("does not count a repeat twice, and renews it") {
    house.fill("abc");
    house.clock.tick(10s);
    const Granted repeat = house.start("abc", "s1");
    CHECK(repeat.renewed);
    CHECK(repeat.active == 3);
    CHECK(repeat.expires_at == house.clock.now().wall() + 90s);
  }
  SUBCASE("lets the next in where one has ended") {
    house.fill("abc");
    const Ended ended = house.ask<Ended>(End{id("abc"), id("s2")});
    CHECK(ended.ended);
    CHECK(ended.active == 2);
    CHECK_FALSE(house.start("abc", "s4").renewed);
    CHECK(house.names("abc") == "s1 s3 s4");
  }
  SUBCASE("0 is no limit") {
    house.registry.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 100; ++i) house.start("abc", std::to_string(i));
    CHECK(house.list("abc").active == 100);
  }
  SUBCASE("a request's own limit goes before the policy's") {
    house.start("abc", "s1");
    CHECK(house.ask<Denied>(Start{id("abc"), id("s2"), {}, 1}).limit == 1);
    house.start("abc", "s2");
    house.start("abc", "s3");
    CHECK(house.ask<Granted>(Start{id("abc"), id("s4"), {}, 4}).active == 4);
  }
  SUBCASE("a lowered limit leaves running streams alone and refuses new ones until there is room") {
    house.fill("abc");
    house.registry.set_policy({1, 90s});
    CHECK(house.start("abc", "s1").renewed);
    CHECK(house.denied("abc", "s4").attempted == 4);
    house.ask(End{id("abc"), id("s1")});
    house.ask(End{id("abc"), id("s2")});
    CHECK(house.denied("abc", "s4").active == 1);
    house.ask(End{id("abc"), id("s3")});
    CHECK(house.start("abc", "s4").active == 1);
  }
  SUBCASE(
      "the first service's rule refuses a repeat above a lowered limit, with the present count") {
    house.fill("abc");
    house.registry.set_policy({2, 90s});
    Start repeat{id("abc"), id("s1")};
    repeat.refuse_repeat_above_limit = true;
    CHECK(house.ask<Denied>(repeat).attempted == 3);
    house.ask(End{id("abc"), id("s3")});
    CHECK(house.ask<Granted>(repeat).active == 2);
  }
}

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

TEST_CASE("Registry: the gone") {
  House house;
  SUBCASE("a heartbeat never revives a session, and tells why it went") {
    house.fill("abc");
    house.ask(End{id("abc"), id("s1")});
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kEnded);
    house.ask(Purge{id("abc")});
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s2")}).reason == EndReason::kPurged);
    house.ask<Unknown>(Heartbeat{id("abc"), id("never")});
    house.ask<Unknown>(Heartbeat{id("nobody"), id("s1")});
    CHECK(house.list("abc").active == 0);
  }
  SUBCASE("ending twice is fine, and the second answer tells why it was gone") {
    house.start("abc", "s1");
    house.ask(End{id("abc"), id("s1")});
    const Ended again = house.ask<Ended>(End{id("abc"), id("s1")});
    CHECK_FALSE(again.ended);
    CHECK(again.reason == EndReason::kEnded);
    CHECK_FALSE(house.ask<Ended>(End{id("nobody"), id("s1")}).ended);
  }
  SUBCASE("a start begins a gone session anew") {
    house.start("abc", "s1");
    house.ask(End{id("abc"), id("s1")});
    house.clock.tick(1s);
    CHECK_FALSE(house.start("abc", "s1").renewed);
    CHECK(house.list("abc").sessions[0].started_at == house.clock.now().wall());
  }
  SUBCASE("they are forgotten after an hour, and their memory with them") {
    house.fill("abc");
    for (const char* session : {"s1", "s2", "s3"}) house.ask(End{id("abc"), id(session)});
    house.clock.tick(1h - 1ms);
    house.registry.sweep(100, 1s, house.clock.now());
    house.ask<Gone>(Heartbeat{id("abc"), id("s1")});
    house.clock.tick(1ms);
    house.registry.sweep(100, 1s, house.clock.now());
    house.ask<Unknown>(Heartbeat{id("abc"), id("s1")});
    house.fill("abd");
    CHECK(house.registry.slots() == 3);
  }
  SUBCASE("no more than a bounded number is remembered") {
    house.registry.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 70'000; ++i) house.start("abc", std::to_string(i));
    house.ask(Purge{});
    house.registry.sweep(100'000, 1s, house.clock.now());
    house.ask<Unknown>(Heartbeat{id("abc"), id("0")});
    house.ask<Gone>(Heartbeat{id("abc"), id("69999")});
  }
}

TEST_CASE("Registry: purge") {
  House house;
  house.fill("abc");
  house.clock.tick(20s);
  house.start("abd", "s1");
  house.start("abc", "s1");
  SUBCASE("of one user") {
    CHECK(house.ask<Purged>(Purge{id("abc"), {}, true}).count == 3);
    CHECK(house.list("abc").active == 3);
    CHECK(house.ask<Purged>(Purge{id("abc")}).count == 3);
    CHECK(house.list("abc").active == 0);
    CHECK(house.list("abd").active == 1);
  }
  SUBCASE("of those without a sign of life") {
    CHECK(house.ask<Purged>(Purge{{}, 20s + 1ms}).count == 0);
    CHECK(house.ask<Purged>(Purge{{}, 20s}).count == 2);
    CHECK(house.names("abc") == "s1");
  }
  SUBCASE("of all") {
    CHECK(house.ask<Purged>(Purge{}).count == 4);
    CHECK(house.registry.active_sessions() == 0);
    CHECK(house.registry.active_users() == 0);
  }
}

TEST_CASE("Registry: lists") {
  House house;
  house.registry.set_policy({kUnlimited, 90s});
  SUBCASE("a user's list goes on from page to page, and passes the expired over") {
    for (int i = 0; i < 25; ++i)
      house.ask(Start{id("abc"), id(std::to_string(i)), i % 5 == 0 ? 5s : 90s});
    house.clock.tick(5s);
    std::vector<std::string> seen;
    ListUser list{id("abc"), 0, 7};
    while (true) {
      const auto page = house.ask<UserSessions>(list);
      CHECK(page.active == 20);
      for (const auto& session : page.sessions) seen.push_back(session.session);
      if (!page.next) break;
      list.after = *page.next;
    }
    CHECK(seen.size() == 20);
    CHECK(seen.front() == "1");
    CHECK(seen.back() == "24");
  }
  SUBCASE("the list of all holds each session once while others come and go") {
    for (int i = 0; i < 100; ++i) house.start("u" + std::to_string(i % 7), "s" + std::to_string(i));
    std::map<std::string, int> seen;
    ListAll list{0, 9};
    for (int round = 0;; ++round) {
      const auto page = house.ask<Page>(list);
      for (const auto& session : page.sessions) ++seen[session.session];
      if (!page.next) break;
      list.after = *page.next;
      house.ask(End{id("u0"), id("s0")});
      house.start("late", "late" + std::to_string(round));
    }
    for (int i = 1; i < 100; ++i) CHECK(seen["s" + std::to_string(i)] == 1);
  }
}

TEST_CASE("Registry: what an answer waits for") {
  House house;
  house.stores = false;
  SUBCASE("a start waits for its own change, and so does all that is told of that user") {
    CHECK(house.waits_for(Start{id("abc"), id("s1")}) == 1);
    CHECK(house.waits_for(Start{id("abc"), id("s1")}) == 1);
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) == 1);
    CHECK(house.waits_for(ListUser{id("abc")}) == 1);
    CHECK(house.waits_for(ListUser{id("abd")}) == 0);
    CHECK(house.waits_for(ListAll{}) == 1);
    house.store();
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) == 0);
    CHECK(house.waits_for(ListAll{}) == 0);
  }
  SUBCASE("a denial waits for the starts that fill the limit") {
    for (const char* session : {"s1", "s2", "s3"}) house.waits_for(Start{id("abc"), id(session)});
    CHECK(house.waits_for(Start{id("abc"), id("s4")}) == 3);
  }
  SUBCASE("a heartbeat that finds its session expired waits until that is durable") {
    house.start("abc", "s1");
    house.store();
    house.clock.tick(90s);
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) == 2);
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
    house.registry.settle(house.clock.now());
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
    house.registry.settle(house.clock.now());
    const auto changes = house.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<Save>(changes[0]).expires == house.clock.now().instant + 90s);
  }
  SUBCASE("a failed save is tried again") {
    house.clock.tick(30s);
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.registry.sweep(10, 1s, house.clock.now());
    house.registry.undo();
    house.registry.sweep(10, 1s, house.clock.now());
    CHECK(saves() == 1);
  }
}

TEST_CASE("Registry: suspend") {
  House house;
  house.registry.set_policy({5, 90s});
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
    house.registry.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 100; ++i) house.start("u" + std::to_string(i), "s");
    house.clock.tick(90s);
    house.registry.sweep(30, 1s, house.clock.now());
    CHECK(house.registry.active_sessions() == 70);
    for (int i = 0; i < 3; ++i) house.registry.sweep(30, 1s, house.clock.now());
    CHECK(house.registry.active_sessions() == 0);
    CHECK(house.store().size() == 100);
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
