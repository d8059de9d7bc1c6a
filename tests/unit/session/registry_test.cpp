#include "session/registry.hpp"

#include "support/house.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::House;
using concur::test::id;

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
    house.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 100; ++i) house.start("abc", std::to_string(i));
    CHECK(house.list("abc").active == 100);
  }
  SUBCASE("too many starts of a user in a minute are refused before the limit is looked at") {
    Policy policy;
    policy.start_rate = 2;
    house.registry.set_policy(policy, house.clock.now());
    house.start("abc", "s1");
    house.start("abc", "s2");
    const auto throttled = house.ask<Throttled>(Start{id("abc"), id("s3")});
    CHECK(throttled.rate == 2);
    CHECK(throttled.retry_after == 30s);
    CHECK(house.start("abc", "s1").renewed);
    CHECK(house.start("xyz", "s1").active == 1);
    house.clock.tick(30s);
    CHECK(house.start("abc", "s3").active == 3);
    CHECK(house.names("abc") == "s1 s2 s3");
  }
  SUBCASE("more sessions than there may be in all are refused, and renewals are not") {
    Policy policy = house.registry.policy();
    policy.max_sessions = 3;
    house.registry.set_policy(policy, house.clock.now());
    house.fill("abc");
    const auto refused = house.ask<Refused>(Start{id("xyz"), id("s1")});
    CHECK(refused.why.kind == ErrorKind::kUnavailable);
    CHECK(refused.why.message ==
          "cannot start session s1 of user xyz: there are 3 sessions, the most that max-sessions "
          "allows");
    CHECK(house.start("abc", "s1").renewed);
    house.ask<Ended>(End{id("abc"), id("s2")});
    CHECK(house.start("xyz", "s1").active == 1);
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
    house.set_policy({1, 90s});
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
    house.set_policy({2, 90s});
    Start repeat{id("abc"), id("s1")};
    repeat.refuse_repeat_above_limit = true;
    CHECK(house.ask<Denied>(repeat).attempted == 3);
    house.ask(End{id("abc"), id("s3")});
    CHECK(house.ask<Granted>(repeat).active == 2);
  }
}

TEST_CASE("Registry: the gone") {
  House house;
  SUBCASE("a heartbeat never revives a session, and says why it went") {
    house.fill("abc");
    house.ask(End{id("abc"), id("s1")});
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kEnded);
    house.ask(Purge{id("abc")});
    CHECK(house.ask<Gone>(Heartbeat{id("abc"), id("s2")}).reason == EndReason::kPurged);
    house.ask<Unknown>(Heartbeat{id("abc"), id("never")});
    house.ask<Unknown>(Heartbeat{id("nobody"), id("s1")});
    CHECK(house.list("abc").active == 0);
  }
  SUBCASE("ending twice is fine, and the second answer says why it was gone") {
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
    house.set_policy({kUnlimited, 90s});
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
  SUBCASE("of all, in parts, without those that started since the first") {
    PurgeCursor cursor = house.registry.begin_purge();
    const auto step = [&](std::uint32_t slots) {
      const Decision done = house.registry.purge_some({}, cursor, slots, house.clock.now());
      return std::get<Purged>(done.answer).count;
    };
    CHECK(step(3) == 3);
    CHECK(house.registry.active_sessions() == 1);
    house.store();
    house.start("late", "s1");
    house.ask(End{id("abd"), id("s1")});
    house.start("later", "s1");
    CHECK_FALSE(cursor.done());
    CHECK(step(1000) == 0);
    CHECK(cursor.done());
    CHECK(step(1000) == 0);
    CHECK(house.list("late").active == 1);
    CHECK(house.list("later").active == 1);
  }
  SUBCASE("of all, in steps, each of which waits for what it purged") {
    PurgeCursor cursor = house.registry.begin_purge();
    CHECK(house.registry.purge_some({{}, 1h}, cursor, 1, house.clock.now()).waits_for == 0);
    const Decision step = house.registry.purge_some({}, cursor, 1, house.clock.now());
    CHECK(step.waits_for == house.registry.last_change());
  }
}

TEST_CASE("Registry: lists") {
  House house;
  house.set_policy({kUnlimited, 90s});
  SUBCASE("a user's list goes on from page to page, and passes the expired over") {
    for (int i = 0; i < 25; ++i)
      house.ask(Start{id("abc"), id(std::to_string(i)), i % 5 == 0 ? 5s : 90s});
    house.clock.tick(5s);
    std::vector<std::string> seen;
    ListUser list{id("abc"), {}, 7};
    while (true) {
      const auto page = house.ask<UserSessions>(list);
      CHECK(page.active == 20);
      for (const auto& session : page.sessions) seen.push_back(session.session);
      if (page.next.empty()) break;
      list.after = page.next;
    }
    CHECK(seen.size() == 20);
    CHECK(seen.front() == "1");
    CHECK(seen.back() == "24");
  }
  SUBCASE("the list of all holds each session once while others come and go") {
    for (int i = 0; i < 100; ++i) house.start("u" + std::to_string(i % 7), "s" + std::to_string(i));
    std::map<std::string, int> seen;
    ListAll list{{}, 9};
    for (int round = 0;; ++round) {
      const auto page = house.ask<Page>(list);
      for (const auto& session : page.sessions) ++seen[session.session];
      if (page.next.empty()) break;
      list.after = page.next;
      house.ask(End{id("u0"), id("s0")});
      house.start("late", "late" + std::to_string(round));
    }
    for (int i = 1; i < 100; ++i) CHECK(seen["s" + std::to_string(i)] == 1);
  }
}

TEST_CASE("Registry: lists look at a bounded number of slots a page") {
  House house;
  house.set_policy({kUnlimited, 90s});
  constexpr int kSlots = 2 * Registry::kListStep + 10;
  for (int i = 0; i < kSlots; ++i) house.start("u" + std::to_string(i), "s");
  house.clock.tick(1s);
  SUBCASE("though nobody is active, so that a page may be empty and name the next") {
    house.ask(Purge{});
    house.start("last", "s");
    int pages = 0;
    std::vector<std::string> seen;
    ListAll list;
    for (;; ++pages) {
      const auto page = house.ask<Page>(list);
      for (const auto& session : page.sessions) seen.push_back(session.user);
      if (page.next.empty()) break;
      list.after = page.next;
    }
    CHECK(pages == 2);
    CHECK(seen == std::vector<std::string>{"last"});
  }
  SUBCASE("of users with a rule too") {
    const std::string last = "u" + std::to_string(kSlots - 1);
    house.ask(SetLimit{id("u1"), 5});
    house.ask(SetLimit{id(last), 5});
    std::vector<std::size_t> pages;
    ListLimits list;
    while (true) {
      const auto page = house.ask<LimitPage>(list);
      pages.push_back(page.limits.size());
      if (page.next.empty()) break;
      list.after = page.next;
    }
    CHECK(pages == std::vector<std::size_t>{1, 0, 1});
  }
}

TEST_CASE("Registry: a cursor that is not its own is refused") {
  House house;
  for (const char* text : {"x", "-1", "99999999999999999999"}) {
    CAPTURE(text);
    for (const Command& list : std::vector<Command>{
             ListUser{id("abc"), Cursor(text)}, ListAll{Cursor(text)}, ListLimits{Cursor(text)}}) {
      const Refused refused = house.ask<Refused>(list);
      CHECK(refused.why.kind == ErrorKind::kInvalid);
      CHECK(refused.why.message == "cannot list on from \"" + std::string(text) +
                                       "\": it is not a cursor of this daemon's");
    }
  }
  const Refused hidden = house.ask<Refused>(ListAll{Cursor("\x01")});
  CHECK(hidden.why.message == "cannot list on from there: it is not a cursor of this daemon's");
  // Behind all there is.
  CHECK(house.ask<Page>(ListAll{Cursor("4000000000")}).next.empty());
}

TEST_CASE("Registry: what an answer waits for") {
  House house;
  house.stores = false;
  SUBCASE("a start waits for its own change, and so does all that is said of that user") {
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
