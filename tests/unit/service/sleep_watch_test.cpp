#include "service/sleep_watch.hpp"

#include "support/moments.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;

TEST_CASE("SleepWatch") {
  FakeClock clock;
  SleepWatch watch(clock.now());
  SUBCASE("time that passes awake is no sleep") {
    clock.tick(10h);
    CHECK(watch.slept(clock.now()) == 0ms);
  }
  SUBCASE("a suspend is noticed once, with its length") {
    clock.sleep(1h);
    CHECK(watch.slept(clock.now()) == 1h);
    CHECK(watch.slept(clock.now()) == 0ms);
    clock.sleep(2s);
    CHECK(watch.slept(clock.now()) == 2s);
  }
  SUBCASE("short ones add up, until they can be told from the clocks' differences") {
    clock.sleep(600ms);
    CHECK(watch.slept(clock.now()) == 0ms);
    clock.sleep(600ms);
    CHECK(watch.slept(clock.now()) == 1200ms);
  }
}
