#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

using Names = std::vector<std::string>;

Start on_device(std::string_view session, std::string_view device) {
  Start start{id("abc"), id(session)};
  start.details.device = device;
  return start;
}

Start replacing(std::string_view session, std::string_view other) {
  Start start{id("abc"), id(session)};
  start.replace = id(other);
  return start;
}

Start evicting(std::string_view session) {
  Start start{id("abc"), id(session)};
  start.on_limit = OnLimit::kEvictOldest;
  return start;
}

Gone gone(RegistryFixture& fixture, std::string_view session) {
  return fixture.ask<Gone>(Heartbeat{id("abc"), id(session)});
}

}  // namespace

TEST_CASE("Registry: the same device") {
  RegistryFixture fixture;
  fixture.ask<Granted>(on_device("s1", "tv"));
  fixture.start("abc", "s2");
  fixture.start("abc", "s3");
  SUBCASE("a new session takes the place of the old one, though the limit is reached") {
    const Granted granted = fixture.ask<Granted>(on_device("s4", "tv"));
    CHECK(granted.active == 3);
    CHECK(granted.evicted == Names{"s1"});
    CHECK(fixture.names("abc") == "s2 s3 s4");
  }
  SUBCASE("the old one gets to know who took over") {
    fixture.ask<Granted>(on_device("s4", "tv"));
    const Gone answer = gone(fixture, "s1");
    CHECK(answer.reason == EndReason::kEvicted);
    REQUIRE(answer.eviction.has_value());
    CHECK(answer.eviction->by.session == "s4");
    CHECK(answer.eviction->by.device == "tv");
    CHECK(answer.eviction->at == fixture.clock.now().wall());
    const Ended ended = fixture.ask<Ended>(End{id("abc"), id("s1")});
    CHECK_FALSE(ended.ended);
    CHECK(ended.reason == EndReason::kEvicted);
    CHECK(ended.eviction->by.session == "s4");
  }
  SUBCASE("keeps its slot even above a lowered limit") {
    fixture.set_policy({.limit = 1});
    CHECK(fixture.ask<Granted>(on_device("s4", "tv")).active == 3);
  }
  SUBCASE("of another user is another device") {
    Start start{id("xyz"), id("s1")};
    start.details.device = "tv";
    CHECK(fixture.ask<Granted>(start).evicted.empty());
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("is free again when its session ended") {
    fixture.ask(End{id("abc"), id("s1")});
    CHECK(fixture.ask<Granted>(on_device("s4", "tv")).evicted.empty());
  }
  SUBCASE("a reconnect holds nobody off") {
    fixture.ask<Granted>(on_device("s4", "tv"));
    Start start = replacing("s5", "s2");
    start.details.device = "tv";
    CHECK(fixture.ask<Granted>(start).evicted == Names{"s4", "s2"});
  }
}

TEST_CASE("Registry: take-over") {
  RegistryFixture fixture;
  fixture.fill("abc");
  SUBCASE("ends the named session and starts the new one in one step") {
    const Granted granted = fixture.ask<Granted>(replacing("s4", "s2"));
    CHECK(granted.active == 3);
    CHECK(granted.evicted == Names{"s2"});
    CHECK(fixture.names("abc") == "s1 s3 s4");
    CHECK(gone(fixture, "s2").eviction->by.session == "s4");
  }
  SUBCASE("of a session that is not active helps nobody") {
    CHECK(std::holds_alternative<Denied>(fixture.ask(replacing("s4", "nobody"))));
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("ends nothing where the limit was lowered too far") {
    fixture.set_policy({.limit = 2});
    CHECK(std::holds_alternative<Denied>(fixture.ask(replacing("s4", "s2"))));
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("by a session that is active already is a renewal") {
    CHECK(fixture.ask<Granted>(replacing("s1", "s2")).renewed);
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("in one batch of changes") {
    fixture.stores = false;
    fixture.ask<Granted>(replacing("s4", "s2"));
    const auto changes = fixture.store();
    REQUIRE(changes.size() == 5);
    CHECK(std::get<PutHoldOff>(changes[0]).row.mark == Mark::kHeldOff);
    CHECK(std::holds_alternative<Remove>(changes[1]));
    CHECK(std::get<PutGone>(changes[2]).row.by->session == "s4");
    CHECK(std::holds_alternative<Insert>(changes[3]));
    CHECK(std::get<PutHoldOff>(changes[4]).row.mark == Mark::kProtected);
  }
}

TEST_CASE("Registry: evicting the oldest") {
  RegistryFixture fixture;
  fixture.fill("abc");
  SUBCASE("where the request asks for it") {
    CHECK(fixture.ask<Granted>(evicting("s4")).evicted == Names{"s1"});
    CHECK(fixture.names("abc") == "s2 s3 s4");
  }
  SUBCASE("where it is the policy") {
    fixture.set_policy({.on_limit = OnLimit::kEvictOldest});
    CHECK(fixture.start("abc", "s4").evicted == Names{"s1"});
  }
  SUBCASE("where it is the user's, though not the policy's") {
    fixture.ask<UserLimit>(SetLimit{id("abc"), {}, {}, OnLimit::kEvictOldest});
    CHECK(fixture.start("abc", "s4").evicted == Names{"s1"});
  }
  SUBCASE("not where the request denies it") {
    fixture.set_policy({.on_limit = OnLimit::kEvictOldest});
    Start start{id("abc"), id("s4")};
    start.on_limit = OnLimit::kDeny;
    CHECK(std::holds_alternative<Denied>(fixture.ask(start)));
  }
  SUBCASE("as many as it takes where the limit was lowered") {
    fixture.set_policy({.limit = 2});
    CHECK(fixture.ask<Granted>(evicting("s4")).evicted == Names{"s1", "s2"});
    CHECK(fixture.names("abc") == "s3 s4");
  }
  SUBCASE("goes by the start, not by the last sign of life") {
    fixture.clock.tick(1s);
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    CHECK(fixture.ask<Granted>(evicting("s4")).evicted == Names{"s1"});
  }
}

TEST_CASE("Registry: hold-off") {
  RegistryFixture fixture;
  fixture.ask<Granted>(on_device("s1", "tv"));
  fixture.start("abc", "s2");
  fixture.start("abc", "s3");
  fixture.ask<Granted>(evicting("s4"));  // evicts s1 and with it the tv
  SUBCASE("an evicted session may not evict for three minutes, to the millisecond") {
    fixture.clock.tick(kDefaultHoldOff - 1ms);
    for (const char* session : {"s2", "s3", "s4"}) fixture.start("abc", session);
    CHECK(fixture.ask<Denied>(evicting("s1")).hold_off == 1ms);
    fixture.clock.tick(1ms);
    CHECK(fixture.ask<Granted>(evicting("s1")).evicted == Names{"s2"});
  }
  SUBCASE("nor may its device, under another name") {
    Start start = evicting("s9");
    start.details.device = "tv";
    CHECK(fixture.ask<Denied>(start).hold_off == kDefaultHoldOff);
  }
  SUBCASE("nor by taking over") {
    CHECK(fixture.ask<Denied>(replacing("s1", "s2")).hold_off == kDefaultHoldOff);
    CHECK(fixture.names("abc") == "s2 s3 s4");
  }
  SUBCASE("others may") { CHECK(fixture.ask<Granted>(evicting("s5")).evicted == Names{"s2"}); }
  SUBCASE("it may start where there is room, beside whom it wanted to replace") {
    fixture.ask(End{id("abc"), id("s4")});
    CHECK(fixture.ask<Granted>(replacing("s1", "s2")).evicted.empty());
    CHECK(fixture.names("abc") == "s2 s3 s1");
  }
  SUBCASE("a plain denial does not speak of it") {
    CHECK_FALSE(fixture.denied("abc", "s1").hold_off.has_value());
  }
  SUBCASE("is each user's own") {
    fixture.fill("xyz");
    Start start{id("xyz"), id("s1b")};
    start.details.device = "tv";
    start.on_limit = OnLimit::kEvictOldest;
    CHECK(fixture.ask<Granted>(start).evicted == Names{"s1"});
  }
  SUBCASE("is remembered of the latest hundred evictions") {
    fixture.set_policy({.limit = 1});
    const auto take_over = [&](const std::string& session, const std::string& from) {
      Start start{id("xyz"), id(session)};
      start.replace = id(from);
      return std::holds_alternative<Granted>(fixture.ask(start));
    };
    fixture.start("xyz", "e0");
    std::string last = "e0";
    for (std::size_t i = 1; i <= kMaxHeldOff; ++i) {
      const std::string next = "e" + std::to_string(i);
      CHECK(take_over(next, last));
      last = next;
    }
    // e0 to e99 were evicted; one more, and e0 is forgotten.
    CHECK_FALSE(take_over("e0", last));
    CHECK(take_over("another", last));
    CHECK(take_over("e0", "another"));
  }
  SUBCASE("begins anew where the eviction before it was undone") {
    fixture.clock.tick(kDefaultHoldOff);
    fixture.registry.sweep(100, 0ms, fixture.clock.now());
    fixture.store();
    for (const char* session : {"s2", "s3", "s4"}) fixture.start("abc", session);
    fixture.stores = false;
    fixture.ask<Granted>(replacing("s5", "s2"));
    fixture.registry.roll_back();
    fixture.clock.tick(60s);
    fixture.stores = true;
    fixture.ask<Granted>(replacing("s5", "s2"));
    fixture.clock.tick(kDefaultHoldOff - 30s);
    fixture.registry.sweep(100, 0ms, fixture.clock.now());
    for (const char* session : {"s3", "s4", "s5"}) fixture.start("abc", session);
    CHECK(fixture.ask<Denied>(evicting("s2")).hold_off == 30s);
  }
  SUBCASE("is forgotten when it is over, by the sweeper, row and all") {
    fixture.clock.tick(kDefaultHoldOff);
    fixture.stores = false;
    fixture.registry.sweep(100, 0ms, fixture.clock.now());
    int dropped = 0;
    for (const Change& change : fixture.store())
      dropped += std::holds_alternative<DropHoldOff>(change);
    CHECK(dropped == 2);  // who is held off, and who is protected
  }
}

TEST_CASE("Registry: hold-offs over a restart") {
  RegistryFixture fixture;
  const Instant now = fixture.clock.now().instant;
  const auto restore = [&](Instant since) {
    CHECK(fixture.registry.restore(HoldOffRow{1, "abc", "s9", "tv", since}, fixture.clock.now()));
    fixture.fill("abc");
  };
  SUBCASE("go on") {
    restore(now - 1min);
    CHECK(fixture.ask<Denied>(evicting("s9")).hold_off == 2min);
  }
  SUBCASE("are never longer than three minutes, whatever the clocks were") {
    restore(now + 24h);
    CHECK(fixture.ask<Denied>(evicting("s9")).hold_off == kDefaultHoldOff);
  }
  SUBCASE("that are over do nothing") {
    restore(now - 24h);
    CHECK(fixture.ask<Granted>(evicting("s9")).evicted == Names{"s1"});
  }
}

TEST_CASE("Registry: observe mode") {
  RegistryFixture fixture;
  fixture.set_policy({.mode = Mode::kObserve});
  fixture.fill("abc");
  SUBCASE("admits what it would deny, and says so") {
    const Granted granted = fixture.start("abc", "s4");
    CHECK(granted.would_deny);
    CHECK(granted.active == 4);
    CHECK(granted.limit == 3);
  }
  SUBCASE("evicts nobody for the limit's sake, and says whom it would") {
    const Granted granted = fixture.ask<Granted>(evicting("s4"));
    CHECK_FALSE(granted.would_deny);
    CHECK(granted.would_evict == Names{"s1"});
    CHECK(granted.evicted.empty());
    CHECK(fixture.ask<Granted>(evicting("s5")).would_evict == Names{"s1", "s2"});
    CHECK(fixture.names("abc") == "s1 s2 s3 s4 s5");
  }
  SUBCASE("take-overs are carried out") {
    CHECK(fixture.ask<Granted>(replacing("s4", "s1")).evicted == Names{"s1"});
  }
  SUBCASE("admits the first service's repeat above the limit") {
    fixture.set_policy({.limit = 1, .mode = Mode::kObserve});
    Start start{id("abc"), id("s1")};
    start.refuse_repeat_above_limit = true;
    CHECK(fixture.ask<Granted>(start).would_deny);
  }
}

TEST_CASE("Registry: what a renewing start may change") {
  RegistryFixture fixture;
  Start start = on_device("s1", "tv");
  start.details.content = "film";
  start.details.meta = R"({"a":"b"})";
  fixture.ask<Granted>(start);
  const auto details = [&] { return fixture.list("abc").sessions.at(0).details; };
  SUBCASE("the address, content and meta, each alone, and nothing else") {
    Start again = on_device("s1", "phone");
    again.details.ip = "192.0.2.1";
    again.details.content = "series";
    CHECK(fixture.ask<Granted>(again).renewed);
    CHECK(details() == Details{"tv", "192.0.2.1", "series", R"({"a":"b"})"});
    again.details = {"", "", "", R"({"c":"d"})"};
    fixture.ask<Granted>(again);
    CHECK(details() == Details{"tv", "192.0.2.1", "series", R"({"c":"d"})"});
    again.details = {"", "192.0.2.2", "", ""};
    fixture.ask<Granted>(again);
    CHECK(details() == Details{"tv", "192.0.2.2", "series", R"({"c":"d"})"});
  }
  SUBCASE("its answer waits until that is stored") {
    fixture.stores = false;
    start.details.content = "series";
    CHECK(fixture.waits_for(start) > 0);
    const auto changes = fixture.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<Describe>(changes[0]).content == "series");
  }
  SUBCASE("what is the same is not stored again") {
    fixture.stores = false;
    CHECK(fixture.waits_for(start) == 0);
  }
  SUBCASE("and it is undone where it cannot be stored") {
    fixture.stores = false;
    start.details.content = "series";
    fixture.ask<Granted>(start);
    fixture.registry.roll_back();
    CHECK(details().content == "film");
  }
}
