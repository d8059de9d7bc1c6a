#include "engine/wait_ration.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("WaitRation") {
  engine::WaitRation ration(100ms);
  const Instant now(1h);
  const auto wait = [&](bool enough) {
    REQUIRE(ration.wants_wait(now));
    ration.on_wait(now);
    enough ? ration.on_enough() : ration.on_shortfall();
  };

  SUBCASE("waits always as long as replicas answer") {
    for (int i = 0; i < 5; ++i) wait(true);
    wait(false);
    wait(true);
    wait(false);
    CHECK(ration.wants_wait(now));
    CHECK_FALSE(ration.is_short());
  }
  SUBCASE("waits once a second after two shortfalls running") {
    wait(false);
    wait(false);
    CHECK(ration.is_short());
    CHECK_FALSE(ration.wants_wait(now + 999ms));
    CHECK(ration.wants_wait(now + 1s));
    ration.on_wait(now + 1s);
    CHECK_FALSE(ration.wants_wait(now + 1999ms));
    ration.on_shortfall();
    CHECK(ration.wants_wait(now + 2s));
  }
  SUBCASE("waits a tenth of the time at most") {
    ration = engine::WaitRation(5s);
    wait(false);
    wait(false);
    CHECK_FALSE(ration.wants_wait(now + 49s));
    CHECK(ration.wants_wait(now + 50s));
  }
  SUBCASE("waits always again once a trial was answered") {
    wait(false);
    wait(false);
    ration.on_wait(now + 1s);
    ration.on_enough();
    CHECK_FALSE(ration.is_short());
    CHECK(ration.wants_wait(now + 1s));
  }
}
