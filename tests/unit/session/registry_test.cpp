#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

TEST_CASE("Registry: limits") {
  RegistryFixture fixture;
  SUBCASE("admits as many as the limit and refuses the next") {
    CHECK(fixture.start("abc", "s1").active == 1);
    CHECK(fixture.start("abc", "s2").active == 2);
    CHECK(fixture.start("abc", "s3").active == 3);
    const Denied denied = fixture.denied("abc", "s4");
    CHECK(denied.active == 3);
    CHECK(denied.attempted == 4);
    CHECK(denied.limit == 3);
    CHECK(denied.sessions.size() == 3);
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("counts each user alone") {
    fixture.fill("abc");
    CHECK(fixture.start("abd", "s1").active == 1);
    CHECK(fixture.start("ABC", "s1").active == 1);
  }
  SUBCASE("does not count a repeat twice, and renews it") {
    fixture.fill("abc");
    fixture.clock.tick(10s);
    const Granted repeat = fixture.start("abc", "s1");
    CHECK(repeat.renewed);
    CHECK(repeat.active == 3);
    CHECK(repeat.expires_at == fixture.clock.now().wall() + 90s);
  }
  SUBCASE("lets the next in where one has ended") {
    fixture.fill("abc");
    const Ended ended = fixture.ask<Ended>(End{id("abc"), id("s2")});
    CHECK(ended.ended);
    CHECK(ended.active == 2);
    CHECK_FALSE(fixture.start("abc", "s4").renewed);
    CHECK(fixture.names("abc") == "s1 s3 s4");
  }
  SUBCASE("0 is no limit") {
    fixture.set_policy({kUnlimited, 90s});
    for (int i = 0; i < 100; ++i) fixture.start("abc", std::to_string(i));
    CHECK(fixture.list("abc").active == 100);
  }
  SUBCASE("more sessions of a user than may start in a minute are refused, where there is room") {
    Policy policy;
    policy.start_rate = 2;
    fixture.registry.set_policy(policy, fixture.clock.now());
    fixture.start("abc", "s1");
    fixture.start("abc", "s2");
    const auto throttled = fixture.ask<Throttled>(Start{id("abc"), id("s3")});
    CHECK(throttled.rate == 2);
    CHECK(throttled.active == 2);
    CHECK(throttled.retry_after == 30s);
    CHECK(fixture.start("abc", "s1").renewed);
    CHECK(fixture.start("xyz", "s1").active == 1);
    fixture.clock.tick(30s);
    CHECK(fixture.start("abc", "s3").active == 3);
    CHECK(fixture.names("abc") == "s1 s2 s3");
    CHECK(fixture.denied("abc", "s4").active == 3);
  }
  SUBCASE("denials, renewals and what did not become durable are no starts for that") {
    Policy policy;
    policy.start_rate = 4;
    fixture.registry.set_policy(policy, fixture.clock.now());
    fixture.fill("abc");
    for (int i = 0; i < 50; ++i) {
      fixture.denied("abc", "x" + std::to_string(i));
      fixture.start("abc", "s1");
    }
    fixture.ask<Ended>(End{id("abc"), id("s2")});
    fixture.stores = false;
    fixture.start("abc", "lost");
    fixture.registry.roll_back();
    fixture.stores = true;
    CHECK_FALSE(fixture.start("abc", "s4").renewed);
    fixture.ask<Ended>(End{id("abc"), id("s4")});
    CHECK(std::holds_alternative<Throttled>(fixture.ask(Start{id("abc"), id("s5")})));
  }
  SUBCASE("more sessions than there may be in all are refused, and renewals are not") {
    Policy policy = fixture.registry.policy();
    policy.max_sessions = 3;
    fixture.registry.set_policy(policy, fixture.clock.now());
    fixture.fill("abc");
    const auto refused = fixture.ask<Refused>(Start{id("xyz"), id("s1")});
    CHECK(refused.why.kind == ErrorKind::kUnavailable);
    CHECK(refused.why.message ==
          "cannot start session s1 of user xyz: there are 3 sessions, the most that max-sessions "
          "allows");
    CHECK(fixture.start("abc", "s1").renewed);
    // A denial is none of it, and neither is who takes another's place.
    CHECK(fixture.denied("abc", "s4").active == 3);
    Start instead{id("abc"), id("s4")};
    instead.replace = id("s1");
    CHECK(fixture.ask<Granted>(instead).active == 3);
    fixture.ask<Ended>(End{id("abc"), id("s2")});
    CHECK(fixture.start("xyz", "s1").active == 1);
  }
  SUBCASE("a request's own limit goes before the policy's") {
    fixture.start("abc", "s1");
    CHECK(fixture.ask<Denied>(Start{id("abc"), id("s2"), {}, 1}).limit == 1);
    fixture.start("abc", "s2");
    fixture.start("abc", "s3");
    CHECK(fixture.ask<Granted>(Start{id("abc"), id("s4"), {}, 4}).active == 4);
  }
  SUBCASE("a lowered limit leaves running streams alone and refuses new ones until there is room") {
    fixture.fill("abc");
    fixture.set_policy({1, 90s});
    CHECK(fixture.start("abc", "s1").renewed);
    CHECK(fixture.denied("abc", "s4").attempted == 4);
    fixture.ask(End{id("abc"), id("s1")});
    fixture.ask(End{id("abc"), id("s2")});
    CHECK(fixture.denied("abc", "s4").active == 1);
    fixture.ask(End{id("abc"), id("s3")});
    CHECK(fixture.start("abc", "s4").active == 1);
  }
  SUBCASE(
      "the first service's rule refuses a repeat above a lowered limit, with the present count") {
    fixture.fill("abc");
    fixture.set_policy({2, 90s});
    Start repeat{id("abc"), id("s1")};
    repeat.refuse_repeat_above_limit = true;
    CHECK(fixture.ask<Denied>(repeat).attempted == 3);
    fixture.ask(End{id("abc"), id("s3")});
    CHECK(fixture.ask<Granted>(repeat).active == 2);
  }
}

TEST_CASE("Registry: the gone") {
  RegistryFixture fixture;
  SUBCASE("a heartbeat never revives a session, and says why it went") {
    fixture.fill("abc");
    fixture.ask(End{id("abc"), id("s1")});
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")}).reason == EndReason::kEnded);
    fixture.ask(Purge{id("abc")});
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s2")}).reason == EndReason::kPurged);
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("never")});
    fixture.ask<Unknown>(Heartbeat{id("nobody"), id("s1")});
    CHECK(fixture.list("abc").active == 0);
  }
  SUBCASE("ending twice is fine, and the second answer says why it was gone") {
    fixture.start("abc", "s1");
    fixture.ask(End{id("abc"), id("s1")});
    const Ended again = fixture.ask<Ended>(End{id("abc"), id("s1")});
    CHECK_FALSE(again.ended);
    CHECK(again.reason == EndReason::kEnded);
    CHECK_FALSE(fixture.ask<Ended>(End{id("nobody"), id("s1")}).ended);
  }
  SUBCASE("a start begins a gone session anew") {
    fixture.start("abc", "s1");
    fixture.ask(End{id("abc"), id("s1")});
    fixture.clock.tick(1s);
    CHECK_FALSE(fixture.start("abc", "s1").renewed);
    CHECK(fixture.list("abc").sessions[0].started_at == fixture.clock.now().wall());
  }
  SUBCASE("they are forgotten after ten minutes, to the millisecond, and then their memory goes") {
    fixture.fill("abc");
    for (const char* session : {"s1", "s2", "s3"}) fixture.ask(End{id("abc"), id(session)});
    fixture.clock.tick(10min - 1ms);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")});
    CHECK(fixture.ask<Ended>(End{id("abc"), id("s1")}).reason == EndReason::kEnded);
    fixture.clock.tick(1ms);
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("s1")});
    CHECK_FALSE(fixture.ask<Ended>(End{id("abc"), id("s1")}).reason);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    fixture.fill("abd");
    CHECK(fixture.registry.slots() == 3);
  }
  SUBCASE("a longer lease makes it longer: everybody's, or its own") {
    Start start{id("abc"), id("own")};
    start.ttl = 30min;
    fixture.ask<Granted>(start);
    fixture.start("abc", "plain");
    for (const char* session : {"own", "plain"}) fixture.ask(End{id("abc"), id(session)});
    fixture.clock.tick(10min);
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("plain")});
    fixture.set_policy({3, 20min});
    fixture.ask<Gone>(Heartbeat{id("abc"), id("plain")});
    fixture.clock.tick(10min);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("plain")});
    fixture.ask<Gone>(Heartbeat{id("abc"), id("own")});
    fixture.clock.tick(10min);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("own")});
    fixture.fill("xyz");
    CHECK(fixture.registry.slots() == 3);
  }
  SUBCASE("a purge of many is remembered whole: as many as there may be sessions") {
    Policy policy = test::unthrottled();
    policy.limit = kUnlimited;
    policy.max_sessions = 70'000;
    fixture.registry.set_policy(policy, fixture.clock.now());
    for (int i = 0; i < 70'000; ++i) fixture.start("abc", std::to_string(i));
    fixture.ask(Purge{});
    fixture.registry.sweep(100'000, 1s, fixture.clock.now());
    for (const char* session : {"0", "35000", "69999"}) {
      CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id(session)}).reason == EndReason::kPurged);
    }
    fixture.start("abc", "one more");
    fixture.ask(End{id("abc"), id("one more")});
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("0")});
    fixture.ask<Gone>(Heartbeat{id("abc"), id("1")});
  }
  SUBCASE("one that starts and ends again and again takes no more memory each time") {
    for (int i = 0; i < 1000; ++i) {
      fixture.start("abc", "s1");
      fixture.ask(End{id("abc"), id("s1")});
    }
    CHECK(fixture.registry.slots() <= 3);
  }
}

TEST_CASE("Registry: what is stored of the gone") {
  RegistryFixture fixture;
  fixture.fill("abc");
  fixture.store();
  SUBCASE("who was evicted or purged, not who ended or expired") {
    fixture.ask(End{id("abc"), id("s1")});
    fixture.stores = false;
    fixture.ask(Purge{id("abc")});
    const auto changes = fixture.store_sessions();
    REQUIRE(changes.size() == 4);
    const GoneRow& row = std::get<PutGone>(changes[1]).row;
    CHECK(row.session == "s2");
    CHECK(row.reason == EndReason::kPurged);
    CHECK(row.at == fixture.clock.now().instant);
    CHECK(row.ttl == 90s);
    CHECK_FALSE(row.by);
    CHECK(std::get<PutGone>(changes[3]).row.id == row.id + 1);
    fixture.clock.tick(10min);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    const auto dropped = fixture.store_sessions();
    REQUIRE(dropped.size() == 1);
    CHECK(std::get<DropGone>(dropped[0]).first == row.id);
    CHECK(std::get<DropGone>(dropped[0]).last == row.id + 1);
  }
  SUBCASE("no longer where it starts anew") {
    fixture.stores = false;
    fixture.ask(Purge{id("abc")});
    const std::int64_t number = std::get<PutGone>(fixture.store_sessions()[1]).row.id;
    fixture.start("abc", "s1");
    const auto changes = fixture.store_sessions();
    REQUIRE(changes.size() == 2);
    CHECK(std::get<DropGone>(changes[1]).first == number);
    CHECK(std::get<DropGone>(changes[1]).last == number);
    fixture.clock.tick(10min);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    for (const Change& each : fixture.store_sessions()) {
      if (const auto* drop = std::get_if<DropGone>(&each)) CHECK(drop->first > number);
    }
  }
  SUBCASE("a drop that could not be stored comes again") {
    fixture.ask(Purge{id("abc")});
    fixture.clock.tick(10min);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    CHECK(fixture.registry.has_changes());
    fixture.registry.roll_back();
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    CHECK(std::get<DropGone>(fixture.store_sessions().at(0)).first == 1);
  }
}

TEST_CASE("Registry: the gone are restored") {
  RegistryFixture fixture;
  const Instant now = fixture.clock.now().instant;
  const auto restore = [&](std::int64_t number, std::string_view session, Instant at,
                           Millis ttl = 90s) {
    GoneRow row{number, "abc", std::string(session), EndReason::kEvicted, at, ttl, nullptr};
    row.by = std::make_unique<EvictedBy>(EvictedBy{"winner", "tv"});
    CHECK(fixture.registry.restore(std::move(row), fixture.clock.now()));
  };
  SUBCASE("with all that is told of them, for what is left of their time") {
    restore(4, "s1", now - 1min);
    restore(5, "long", now - 1min, 20min);
    CHECK(fixture.registry.active_sessions() == 0);
    const Gone gone = fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")});
    CHECK(gone.reason == EndReason::kEvicted);
    CHECK(gone.eviction->by.session == "winner");
    CHECK(gone.eviction->by.device == "tv");
    CHECK(gone.eviction->at == fixture.clock.now().wall() - 1min);
    fixture.clock.tick(9min);
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("s1")});
    fixture.ask<Gone>(Heartbeat{id("abc"), id("long")});
  }
  SUBCASE("their numbers are not used again") {
    restore(4, "s1", now);
    fixture.start("abc", "s2");
    fixture.store();
    fixture.stores = false;
    fixture.ask(Purge{id("abc")});
    CHECK(std::get<PutGone>(fixture.store_sessions()[1]).row.id == 5);
  }
  SUBCASE("one whose time is over is forgotten, and its row goes") {
    restore(4, "s1", now - 1h);
    restore(5, "s2", now + 24h);  // as if it went now
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("s1")});
    fixture.registry.sweep(9, 1s, fixture.clock.now());
    const auto dropped = fixture.store_sessions();
    REQUIRE(dropped.size() == 1);
    CHECK(std::get<DropGone>(dropped[0]).last == 4);
    fixture.clock.tick(10min);
    fixture.ask<Unknown>(Heartbeat{id("abc"), id("s2")});
  }
  SUBCASE("the latest of a name counts, and none where it is active") {
    fixture.start("abc", "active");
    fixture.store();
    restore(4, "s1", now - 2min);
    restore(5, "s1", now - 1min);
    restore(6, "active", now);
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")}).eviction->at ==
          fixture.clock.now().wall() - 1min);
    fixture.ask<Granted>(Heartbeat{id("abc"), id("active")});
    fixture.registry.sweep(9, 1s, fixture.clock.now());
    const auto dropped = fixture.store_sessions();
    REQUIRE(dropped.size() == 2);
    CHECK(std::get<DropGone>(dropped[0]).first == 4);
    CHECK(std::get<DropGone>(dropped[1]).first == 6);
  }
}

TEST_CASE("Registry::copy_some gives all that is stored") {
  RegistryFixture fixture;
  fixture.ask(SetPlan{id("gold"), 5, OnLimit::kEvictOldest});
  fixture.ask(SetLimit{id("abc"), 1, id("gold"), {}});
  fixture.start("abc", "s1");
  Start evicting{id("abc"), id("s2")};
  evicting.on_limit = OnLimit::kEvictOldest;
  evicting.details.device = "tv";
  fixture.ask<Granted>(evicting);
  fixture.start("xyz", "ended");
  fixture.ask(End{id("xyz"), id("ended")});
  std::uint32_t step = 100;
  SUBCASE("at once") {}
  SUBCASE("in steps") { step = 1; }
  std::vector<Change> all;
  CopyCursor cursor;
  while (fixture.registry.copy_some(cursor, step, all)) {
  }
  Registry copy(test::unthrottled(), 2);
  std::string told;
  for (Change& each : all) {
    const bool taken = std::visit(
        [&](auto& change) {
          if constexpr (requires { change.row; }) {
            return copy.restore(std::move(change.row), fixture.clock.now());
          }
          return false;
        },
        each);
    CHECK(taken);
  }
  // The plan, the limit, who is held off and who protected, who was evicted, and who is active.
  CHECK(all.size() == 6);
  const auto ask = [&](const Command& command) {
    return copy.apply(command, fixture.clock.now()).answer;
  };
  CHECK(std::get<UserLimit>(ask(ShowLimit{id("abc")})).plan == "gold");
  CHECK(std::get<UserSessions>(ask(ListUser{id("abc")})).sessions.at(0).details.device == "tv");
  CHECK(std::get<Gone>(ask(Heartbeat{id("abc"), id("s1")})).eviction->by.session == "s2");
  Start back{id("abc"), id("s1")};
  back.on_limit = OnLimit::kEvictOldest;
  CHECK(std::get<Denied>(ask(back)).hold_off == kDefaultHoldOff);
}

TEST_CASE("Registry: purge") {
  RegistryFixture fixture;
  fixture.fill("abc");
  fixture.clock.tick(20s);
  fixture.start("abd", "s1");
  fixture.start("abc", "s1");
  SUBCASE("of one user") {
    CHECK(fixture.ask<Purged>(Purge{id("abc"), {}, true}).count == 3);
    CHECK(fixture.list("abc").active == 3);
    CHECK(fixture.ask<Purged>(Purge{id("abc")}).count == 3);
    CHECK(fixture.list("abc").active == 0);
    CHECK(fixture.list("abd").active == 1);
  }
  SUBCASE("of those without a sign of life") {
    CHECK(fixture.ask<Purged>(Purge{{}, 20s + 1ms}).count == 0);
    CHECK(fixture.ask<Purged>(Purge{{}, 20s}).count == 2);
    CHECK(fixture.names("abc") == "s1");
  }
  SUBCASE("of all") {
    CHECK(fixture.ask<Purged>(Purge{}).count == 4);
    CHECK(fixture.registry.active_sessions() == 0);
    CHECK(fixture.registry.active_users() == 0);
  }
  SUBCASE("of all, in parts, without those that started since the first") {
    PurgeCursor cursor = fixture.registry.begin_purge();
    const auto step = [&](std::uint32_t slots) {
      const Decision done = fixture.registry.purge_some({}, cursor, slots, fixture.clock.now());
      return std::get<Purged>(done.answer).count;
    };
    CHECK(step(3) == 3);
    CHECK(fixture.registry.active_sessions() == 1);
    fixture.store();
    fixture.start("late", "s1");
    fixture.ask(End{id("abd"), id("s1")});
    fixture.start("later", "s1");
    CHECK_FALSE(cursor.done());
    CHECK(step(1000) == 0);
    CHECK(cursor.done());
    CHECK(step(1000) == 0);
    CHECK(fixture.list("late").active == 1);
    CHECK(fixture.list("later").active == 1);
  }
  SUBCASE("of all, in steps, each of which waits for what it purged") {
    PurgeCursor cursor = fixture.registry.begin_purge();
    CHECK(fixture.registry.purge_some({{}, 1h}, cursor, 1, fixture.clock.now()).waits_for == 0);
    const Decision step = fixture.registry.purge_some({}, cursor, 1, fixture.clock.now());
    CHECK(step.waits_for == fixture.registry.last_change());
  }
}

TEST_CASE("Registry: lists") {
  RegistryFixture fixture;
  fixture.set_policy({kUnlimited, 90s});
  SUBCASE("a user's list goes on from page to page, and passes the expired over") {
    for (int i = 0; i < 25; ++i)
      fixture.ask(Start{id("abc"), id(std::to_string(i)), i % 5 == 0 ? 5s : 90s});
    fixture.clock.tick(5s);
    std::vector<std::string> seen;
    ListUser list{id("abc"), {}, 7};
    while (true) {
      const auto page = fixture.ask<UserSessions>(list);
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
    for (int i = 0; i < 100; ++i)
      fixture.start("u" + std::to_string(i % 7), "s" + std::to_string(i));
    std::map<std::string, int> seen;
    ListAll list{{}, 9};
    for (int round = 0;; ++round) {
      const auto page = fixture.ask<Page>(list);
      for (const auto& session : page.sessions) ++seen[session.session];
      if (page.next.empty()) break;
      list.after = page.next;
      fixture.ask(End{id("u0"), id("s0")});
      fixture.start("late", "late" + std::to_string(round));
    }
    for (int i = 1; i < 100; ++i) CHECK(seen["s" + std::to_string(i)] == 1);
  }
}

TEST_CASE("Registry: lists look at a bounded number of slots a page") {
  RegistryFixture fixture;
  fixture.set_policy({kUnlimited, 90s});
  constexpr int kSlots = 2 * Registry::kListStep + 10;
  for (int i = 0; i < kSlots; ++i) fixture.start("u" + std::to_string(i), "s");
  fixture.clock.tick(1s);
  SUBCASE("though nobody is active, so that a page may be empty and name the next") {
    fixture.ask(Purge{});
    fixture.start("last", "s");
    int pages = 0;
    std::vector<std::string> seen;
    ListAll list;
    for (;; ++pages) {
      const auto page = fixture.ask<Page>(list);
      for (const auto& session : page.sessions) seen.push_back(session.user);
      if (page.next.empty()) break;
      list.after = page.next;
    }
    CHECK(pages == 2);
    CHECK(seen == std::vector<std::string>{"last"});
  }
  SUBCASE("of users with a rule too") {
    const std::string last = "u" + std::to_string(kSlots - 1);
    fixture.ask(SetLimit{id("u1"), 5});
    fixture.ask(SetLimit{id(last), 5});
    std::vector<std::size_t> pages;
    ListLimits list;
    while (true) {
      const auto page = fixture.ask<LimitPage>(list);
      pages.push_back(page.limits.size());
      if (page.next.empty()) break;
      list.after = page.next;
    }
    CHECK(pages == std::vector<std::size_t>{1, 0, 1});
  }
}

TEST_CASE("Registry: a cursor that is not its own is refused") {
  RegistryFixture fixture;
  for (const char* text : {"x", "-1", "99999999999999999999"}) {
    CAPTURE(text);
    for (const Command& list : std::vector<Command>{
             ListUser{id("abc"), Cursor(text)}, ListAll{Cursor(text)}, ListLimits{Cursor(text)}}) {
      const Refused refused = fixture.ask<Refused>(list);
      CHECK(refused.why.kind == ErrorKind::kInvalid);
      CHECK(refused.why.message == "cannot list on from \"" + std::string(text) +
                                       "\": it is not a cursor of this daemon's");
    }
  }
  const Refused hidden = fixture.ask<Refused>(ListAll{Cursor("\x01")});
  CHECK(hidden.why.message == "cannot list on from there: it is not a cursor of this daemon's");
  // Behind all there is.
  CHECK(fixture.ask<Page>(ListAll{Cursor("4000000000")}).next.empty());
}

TEST_CASE("Registry: what an answer waits for") {
  RegistryFixture fixture;
  fixture.stores = false;
  SUBCASE("a start waits for its own change, and so does all that is said of that user") {
    CHECK(fixture.waits_for(Start{id("abc"), id("s1")}) == 1);
    CHECK(fixture.waits_for(Start{id("abc"), id("s1")}) == 1);
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) == 1);
    CHECK(fixture.waits_for(ListUser{id("abc")}) == 1);
    CHECK(fixture.waits_for(ListUser{id("abd")}) == 0);
    CHECK(fixture.waits_for(ListAll{}) == 1);
    fixture.store();
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) == 0);
    CHECK(fixture.waits_for(ListAll{}) == 0);
  }
  SUBCASE("a denial waits for the starts that fill the limit") {
    for (const char* session : {"s1", "s2", "s3"}) fixture.waits_for(Start{id("abc"), id(session)});
    CHECK(fixture.waits_for(Start{id("abc"), id("s4")}) == 3);
  }
  SUBCASE("a heartbeat that finds its session expired waits until that is durable") {
    fixture.start("abc", "s1");
    fixture.store();
    fixture.clock.tick(90s);
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) == 2);
  }
}
