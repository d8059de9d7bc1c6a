#include "engine/breaker.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("Breaker") {
  engine::Breaker breaker;
  const Instant now(1h);

  SUBCASE("is closed, and wants no trials then") {
    CHECK_FALSE(breaker.is_open());
    CHECK_FALSE(breaker.wants_trial(now));
  }
  SUBCASE("that opened says why, and wants trials one at a time") {
    breaker.open("it is slow");
    CHECK(breaker.is_open());
    CHECK(breaker.cause() == "it is slow");
    CHECK(breaker.wants_trial(now));
    breaker.begin_trial();
    CHECK_FALSE(breaker.wants_trial(now + 1h));
    breaker.end_trial(false, now);
    CHECK(breaker.is_open());
    CHECK_FALSE(breaker.wants_trial(now + 99ms));
    CHECK(breaker.wants_trial(now + 100ms));
  }
  SUBCASE("closes by a trial that succeeds") {
    breaker.open("it is slow");
    breaker.begin_trial();
    breaker.end_trial(true, now);
    CHECK_FALSE(breaker.is_open());
    CHECK_FALSE(breaker.wants_trial(now + 1h));
  }
}
