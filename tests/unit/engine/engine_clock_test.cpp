#include "engine/engine_clock.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

namespace {

// What the engine's clock shows when ours shows that, an offset of a million seconds apart.
WallTime shown(Instant at) { return WallTime(at.time_since_epoch() + 1'000'000s); }

}  // namespace

TEST_CASE("EngineClock") {
  engine::EngineClock clock;
  const Instant now(1h);

  SUBCASE("knows nothing before the first answer") { CHECK_FALSE(clock.bounds(now).has_value()); }
  SUBCASE("bounds the offset by question and answer") {
    CHECK_FALSE(clock.learn(now, now + 10ms, shown(now + 4ms)));
    const auto bounds = clock.bounds(now + 10ms);
    REQUIRE(bounds.has_value());
    CHECK(bounds->earliest == 1'000'000s - 7ms);
    CHECK(bounds->latest == 1'000'000s + 5ms);
  }
  SUBCASE("keeps the narrowest of several answers") {
    clock.learn(now, now + 100ms, shown(now + 50ms));
    clock.learn(now + 100ms, now + 102ms, shown(now + 101ms));
    clock.learn(now + 200ms, now + 300ms, shown(now + 250ms));
    const auto bounds = clock.bounds(now + 300ms);
    CHECK(bounds->latest - bounds->earliest == 4ms);
    CHECK(bounds->earliest <= 1'000'000s);
    CHECK(bounds->latest >= 1'000'000s);
  }
  SUBCASE("is less sure as time passes") {
    clock.learn(now, now, shown(now));
    const auto bounds = clock.bounds(now + 10s);
    CHECK(bounds->earliest == 1'000'000s - 11ms);
    CHECK(bounds->latest == 1'000'000s + 11ms);
  }
  SUBCASE("follows small contradictions without a word") {
    clock.learn(now, now, shown(now));
    CHECK_FALSE(clock.learn(now, now, shown(now) + 400ms));
    CHECK(clock.bounds(now)->earliest == 1'000'000s + 399ms);
    CHECK(clock.steps() == 0);
  }
  SUBCASE("says of a clock that was set that it was, and believes the new one") {
    clock.learn(now, now, shown(now));
    CHECK(clock.learn(now, now, shown(now) - 1h));
    CHECK(clock.bounds(now)->latest == 1'000'000s - 1h + 1ms);
    CHECK(clock.learn(now, now, shown(now) + 1h));
    CHECK(clock.steps() == 2);
  }
}
