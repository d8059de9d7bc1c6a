#include "session/registry.hpp"

#include "rules/rule_text.hpp"
#include "support/overlap_fixture.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::OverlapFixture;
using concur::test::RegistryFixture;
using concur::test::with_overlap;

TEST_CASE("Registry: a start that is one too many is let in for a while") {
  OverlapFixture fixture;
  const WallTime ends = fixture.clock.now().wall() + 5s;
  SUBCASE("and told so, as are its heartbeats and the list") {
    const Granted granted = fixture.start("abc", "s4");
    CHECK_FALSE(granted.renewed);
    CHECK(granted.grace_ends_at == ends);
    CHECK(granted.active == 4);
    fixture.clock.tick(1s);
    CHECK(std::get<Granted>(fixture.beat("s4")).grace_ends_at == ends);
    CHECK_FALSE(std::get<Granted>(fixture.beat("s3")).grace_ends_at);
    CHECK(fixture.start("abc", "s4").grace_ends_at == ends);
    CHECK(fixture.list("abc").sessions.at(3).grace_ends_at == ends);
    CHECK_FALSE(fixture.list("abc").sessions.at(2).grace_ends_at);
  }
  SUBCASE("and stays where another ended by then") {
    fixture.start("abc", "s4");
    fixture.end("s1");
    fixture.clock.tick(5s - 1ms);
    CHECK(std::get<Granted>(fixture.beat("s4")).grace_ends_at == ends);
    fixture.events();
    fixture.clock.tick(1ms);
    CHECK_FALSE(std::get<Granted>(fixture.beat("s4")).grace_ends_at);
    CHECK(fixture.events() == "started:s4:3!");
    CHECK(fixture.names("abc") == "s2 s3 s4");
  }
  SUBCASE("and ends at the millisecond where none did") {
    fixture.start("abc", "s4");
    fixture.clock.tick(5s - 1ms);
    CHECK(fixture.names("abc") == "s1 s2 s3 s4");
    fixture.events();
    fixture.clock.tick(1ms);
    CHECK(fixture.names("abc") == "s1 s2 s3");
    CHECK(fixture.events() == "denied:s4:3?");
    CHECK(fixture.reason_of("s4") == EndReason::kDenied);
    CHECK(fixture.ask<Ended>(End{id("abc"), id("s4")}).reason == EndReason::kDenied);
  }
  SUBCASE("and is judged by its own heartbeat, too") {
    fixture.start("abc", "s4");
    fixture.clock.tick(5s);
    CHECK(fixture.reason_of("s4") == EndReason::kDenied);
  }
  SUBCASE("and by the sweeper") {
    fixture.start("abc", "s4");
    fixture.clock.tick(5s);
    fixture.events();
    fixture.registry.sweep(1000, 1s, fixture.clock.now());
    fixture.store();
    CHECK(fixture.events() == "denied:s4:3?");
  }
  SUBCASE("as things were when its time was over, whenever somebody looks") {
    Start start{id("abc"), id("s4")};
    start.ttl = 10min;
    fixture.ask<Granted>(start);
    fixture.clock.tick(2min);  // the others' leases ran out after that
    fixture.events();
    SUBCASE("by a heartbeat, which ends no other") {
      CHECK(fixture.reason_of("s4") == EndReason::kDenied);
      CHECK(fixture.events() == "denied:s4:0?");
    }
    SUBCASE("before the others, by what ends all") {
      fixture.end("nobody");
      CHECK(fixture.events() == "denied:s4:0? expired:s1:0 expired:s2:0 expired:s3:0");
    }
    SUBCASE("or in the sweeper's order") {
      fixture.registry.sweep(1, 1s, fixture.clock.now());
      fixture.store();
      CHECK(fixture.events() == "denied:s4:0? expired:s1:0");
    }
  }
  SUBCASE("and expires as any other, where its lease is shorter") {
    Start start{id("abc"), id("s4")};
    start.ttl = 2s;
    fixture.ask<Granted>(start);
    fixture.clock.tick(6s);
    CHECK(fixture.names("abc") == "s1 s2 s3");
    CHECK(fixture.reason_of("s4") == EndReason::kExpired);
    CHECK(fixture.start("abc", "s5").grace_ends_at);
  }
  SUBCASE("and counts for others") {
    fixture.start("abc", "s4");
    CHECK(fixture.denied("abc", "s5").active == 4);
    fixture.end("s1");
    CHECK(fixture.denied("abc", "s5").active == 3);
    fixture.clock.tick(5s);
    CHECK(fixture.start("abc", "s5").grace_ends_at);
  }
  SUBCASE("and may ask again, which is a start as any other") {
    fixture.start("abc", "s4");
    fixture.clock.tick(5s);
    Start start{id("abc"), id("s4")};
    start.never_revives = true;
    CHECK(std::holds_alternative<Denied>(fixture.ask(start)));
    fixture.end("s1");
    CHECK_FALSE(fixture.ask<Granted>(start).grace_ends_at);
  }
}

TEST_CASE("Registry: none is let in above the limit") {
  OverlapFixture fixture;
  SUBCASE("with two too many") {
    Rules lowered = with_overlap(5s);
    lowered.limit = 2;
    fixture.set_policy(lowered);
    fixture.denied("abc", "s4");
  }
  SUBCASE("for so long again, twice, once one was refused, under whatever name it starts then") {
    fixture.start("abc", "s4");
    fixture.clock.tick(5s);
    fixture.denied("abc", "s5");
    fixture.end("s1");
    CHECK_FALSE(fixture.start("abc", "s4").grace_ends_at);
    fixture.clock.tick(10s - 1ms);
    fixture.denied("abc", "s1");
    fixture.clock.tick(1ms);
    CHECK(fixture.start("abc", "s1").grace_ends_at);
  }
  SUBCASE("where the oldest makes room, nor where it may not") {
    Start start{id("abc"), id("s4")};
    start.on_limit = OnLimit::kEvictOldest;
    CHECK_FALSE(fixture.ask<Granted>(start).grace_ends_at);
    Start back{id("abc"), id("s1")};
    back.on_limit = OnLimit::kEvictOldest;
    CHECK(fixture.ask<Denied>(back).hold_off);
  }
  SUBCASE("in observe mode, and whoever is goes on") {
    fixture.start("abc", "s4");
    Rules observe = with_overlap(5s);
    observe.mode = Mode::kObserve;
    fixture.set_policy(observe);
    fixture.clock.tick(5s);
    CHECK_FALSE(std::get<Granted>(fixture.beat("s4")).grace_ends_at);
    const Granted granted = fixture.start("abc", "s5");
    CHECK(granted.would_deny);
    CHECK_FALSE(granted.grace_ends_at);
  }
  SUBCASE("by default, and who was is judged by what was said at its start") {
    fixture.start("abc", "s4");
    fixture.set_policy(Rules());
    fixture.clock.tick(5s - 1ms);
    CHECK(fixture.names("abc") == "s1 s2 s3 s4");
    fixture.clock.tick(1ms);
    CHECK(fixture.names("abc") == "s1 s2 s3");
    fixture.clock.tick(1min);
    fixture.beat_all();
    fixture.denied("abc", "s4");
  }
}

TEST_CASE("Registry: one that is let in for a while, and other ways to make room") {
  OverlapFixture fixture;
  const WallTime ends = fixture.clock.now().wall() + 5s;
  SUBCASE("is let in before the newest is evicted, and is the one that goes") {
    Start start{id("abc"), id("s4")};
    start.on_limit = OnLimit::kEvictNewest;
    CHECK(fixture.ask<Granted>(start).grace_ends_at == ends);
    fixture.clock.tick(5s);
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("gives its time, and no more, to whoever takes its place") {
    Start start{id("abc"), id("s4")};
    start.details.device = "tv";
    fixture.ask<Granted>(start);
    fixture.clock.tick(2s);
    Start next{id("abc"), id("s5")};
    SUBCASE("from its device") { next.details.device = "tv"; }
    SUBCASE("by its name") { next.replace = id("s4"); }
    CHECK(fixture.ask<Granted>(next).grace_ends_at == ends);
    CHECK(fixture.names("abc") == "s1 s2 s3 s5");
    fixture.clock.tick(3s);
    CHECK(fixture.names("abc") == "s1 s2 s3");
    CHECK(fixture.reason_of("s5") == EndReason::kDenied);
  }
  SUBCASE("is judged by the limit that its start came with") {
    Start start{id("xyz"), id("s1")};
    start.limit = 1;
    fixture.ask<Granted>(start);
    start.session = id("s2");
    CHECK(fixture.ask<Granted>(start).grace_ends_at);
    fixture.clock.tick(5s);
    CHECK(fixture.names("xyz") == "s1");
  }
  SUBCASE("puts nobody above the limit by the first service's rule") {
    fixture.start("abc", "s4");
    Start repeat{id("abc"), id("s1")};
    repeat.refuse_repeat_above_limit = true;
    CHECK(fixture.ask<Granted>(repeat).renewed);
  }
  SUBCASE("is told of beforehand") {
    const auto said = fixture.ask<Explanation>(Explain{{id("abc"), id("s4")}});
    CHECK(said.overlaps);
    CHECK(said.would == Explanation::Would::kStart);
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("makes room for whoever is denied meanwhile when it has to go, or not at all") {
    fixture.clock.tick(30s);
    fixture.beat("s2");
    fixture.beat("s3");
    fixture.start("abc", "s4");
    SUBCASE("for its time is over before the first lease") {
      CHECK(fixture.denied("abc", "s5").retry_after == 60s);
    }
    SUBCASE("for a lease runs out before that, and so it stays") {
      fixture.clock.tick(4s);
      Heartbeat beat{id("abc"), id("s1")};
      beat.ttl = 1s;
      fixture.ask(beat);
      CHECK(fixture.denied("abc", "s5").retry_after == 86s);
    }
  }
}

TEST_CASE("Registry: sessions that are let in for a while, by rules") {
  RegistryFixture fixture;
  Rules rules = with_overlap(5s);
  const auto set = [&](const std::string& line) {
    auto rule = parse_rule("r", line);
    REQUIRE(rule.has_value());
    auto all = std::make_shared<RuleSet>();
    REQUIRE(all->add(*rule).has_value());
    rules.rules = all;
    fixture.set_policy(rules);
  };
  const auto start = [](const char* session, const char* content) {
    Start asked{id("abc"), id(session)};
    asked.details.content = content;
    return asked;
  };
  SUBCASE("where one that counts sessions has no room") {
    set("max 1 sessions per content");
    fixture.ask<Granted>(start("s1", "film"));
    CHECK(fixture.ask<Granted>(start("s2", "film")).grace_ends_at);
    fixture.clock.tick(5s);
    CHECK(fixture.names("abc") == "s1");
  }
  SUBCASE("but not where one that counts values has none, nor one that forbids") {
    set("max 1 distinct content");
    fixture.ask<Granted>(start("s1", "film"));
    fixture.ask<Denied>(start("s2", "show"));
    set("forbid where content=show");
    fixture.ask<Denied>(start("s2", "show"));
  }
}
