#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

Rules up_to(Millis longest) {
  Rules rules;
  rules.longest = longest;
  return rules;
}

struct LongestFixture : RegistryFixture {
  LongestFixture() { set_policy(up_to(5min)); }

  Answer beat(std::string_view session) { return ask(Heartbeat{id("abc"), id(session)}); }
  // Beats every half minute.
  void play(std::string_view session, Millis time) {
    for (Millis passed{0}; passed < time; passed += 30s) {
      clock.tick(30s);
      REQUIRE(std::holds_alternative<Granted>(beat(session)));
    }
  }
};

}  // namespace

TEST_CASE("Registry: a session expires at an age") {
  LongestFixture fixture;
  const WallTime started = fixture.clock.now().wall();
  fixture.start("abc", "s1");
  SUBCASE("to the millisecond, however often it gives a sign of life") {
    fixture.play("s1", 4min + 30s);
    CHECK(fixture.list("abc").sessions.at(0).expires_at == started + 5min);
    fixture.clock.tick(30s - 1ms);
    CHECK(std::get<Granted>(fixture.beat("s1")).expires_at == started + 5min);
    fixture.clock.tick(1ms);
    CHECK(std::get<Gone>(fixture.beat("s1")).reason == EndReason::kExpired);
    CHECK(fixture.list("abc").active == 0);
    CHECK_FALSE(fixture.start("abc", "s1").renewed);
    CHECK(fixture.start("abc", "s1").expires_at == fixture.clock.now().wall() + 90s);
  }
  SUBCASE("whatever lease it asks for") {
    Start start{id("abc"), id("s2")};
    start.ttl = 24h;
    CHECK(fixture.ask<Granted>(start).expires_at == started + 5min);
    Heartbeat beat{id("abc"), id("s1")};
    beat.ttl = 24h;
    CHECK(fixture.ask<Granted>(beat).expires_at == started + 5min);
  }
  SUBCASE("so that it makes room") {
    fixture.start("abc", "s2");
    fixture.start("abc", "s3");
    fixture.play("s1", 1min);
    for (const char* session : {"s2", "s3"}) fixture.beat(session);
    CHECK(fixture.denied("abc", "s4").retry_after == 90s);
    for (int i = 0; i < 8; ++i) {
      fixture.clock.tick(30s);
      for (const char* session : {"s1", "s2", "s3"}) fixture.beat(session);
    }
    CHECK(fixture.list("abc").active == 0);
    fixture.start("abc", "s4");
  }
  SUBCASE("after a suspend, too") {
    fixture.play("s1", 4min + 30s);
    fixture.clock.sleep(10s);
    fixture.registry.wake(10s, fixture.clock.now());
    fixture.clock.tick(20s - 1ms);
    CHECK(fixture.list("abc").active == 1);
    fixture.clock.tick(1ms);
    CHECK(fixture.list("abc").active == 0);
  }
  SUBCASE("after a restart, too") {
    fixture.play("s1", 4min + 30s);
    fixture.save_all();
    std::vector<Change> all;
    CopyCursor cursor;
    while (fixture.registry.copy_some(cursor, 1000, all)) {
    }
    Policy policy = test::unthrottled();
    policy.longest = 5min;
    Registry restarted(policy, 2);
    fixture.clock.tick(10s);
    for (Change& each : all) {
      if (auto* row = std::get_if<Insert>(&each)) {
        CHECK(restarted.restore(std::move(row->row), fixture.clock.now()));
      }
    }
    const auto active = [&] {
      const auto answer = restarted.apply(ListUser{id("abc")}, fixture.clock.now()).answer;
      return std::get<UserSessions>(answer).active;
    };
    fixture.clock.tick(20s - 1ms);
    CHECK(active() == 1);
    fixture.clock.tick(1ms);
    CHECK(active() == 0);
  }
  SUBCASE("that is shortened, from then on") {
    fixture.play("s1", 2min);
    fixture.set_policy(up_to(2min + 1ms));
    CHECK(fixture.list("abc").active == 1);
    fixture.clock.tick(1ms);
    CHECK(fixture.list("abc").active == 0);
    CHECK(std::get<Gone>(fixture.beat("s1")).reason == EndReason::kExpired);
  }
  SUBCASE("that is prolonged or lifted, for those who are active then") {
    fixture.play("s1", 4min);
    SUBCASE("to the last sign of life's lease") { fixture.set_policy(up_to(24h)); }
    SUBCASE("or for good") { fixture.set_policy(up_to(0ms)); }
    CHECK(fixture.list("abc").sessions.at(0).expires_at == fixture.clock.now().wall() + 90s);
  }
  SUBCASE("and comes not back with a longer one") {
    fixture.play("s1", 4min + 30s);
    fixture.clock.tick(30s);
    fixture.set_policy(up_to(24h));
    CHECK(fixture.list("abc").active == 0);
  }
  SUBCASE("though another lease could not be stored") {
    fixture.play("s1", 4min + 30s);
    fixture.stores = false;
    Heartbeat beat{id("abc"), id("s1")};
    beat.ttl = 24h;
    fixture.ask(beat);
    fixture.registry.roll_back();
    CHECK(fixture.list("abc").sessions.at(0).expires_at == started + 5min);
  }
}

// Against what is said in a sentence: it is active while now < min(last sign of life + ttl, start +
// longest).
TEST_CASE("Registry: ages and leases at any moments") {
  std::mt19937 random(11);
  const auto dice = [&random](std::uint32_t sides) {
    return Millis(static_cast<std::int64_t>(random() % sides));
  };
  for (int round = 0; round < 200; ++round) {
    RegistryFixture fixture;
    Millis longest = 1s + dice(200'000);
    fixture.set_policy(up_to(longest));
    const Instant started = fixture.clock.now().instant;
    Instant seen = started;
    fixture.start("abc", "s1");
    while (true) {
      fixture.clock.tick(dice(100'000));
      const Instant now = fixture.clock.now().instant;
      const bool active = now < std::min(seen + 90s, started + longest);
      REQUIRE((fixture.list("abc").active == 1) == active);
      if (!active) break;
      if (dice(4) == 0ms) {
        longest = 1s + dice(400'000);
        fixture.set_policy(up_to(longest));
      } else {
        const bool renewed =
            std::holds_alternative<Granted>(fixture.ask(Heartbeat{id("abc"), id("s1")}));
        REQUIRE(renewed);
        seen = now;
      }
    }
  }
}
