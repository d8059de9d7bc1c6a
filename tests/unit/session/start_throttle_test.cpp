#include "session/start_throttle.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("StartThrottle") {
  StartThrottle throttle(7);
  Instant now{1h};
  const auto taken = [&](std::string_view user, std::uint32_t rate) {
    int count = 0;
    while (count < 1'000 && !throttle.refuse(user, rate, now)) ++count;
    return count;
  };
  SUBCASE("a minute's worth at once, then one each share of a minute") {
    CHECK(taken("abc", 200) == 200);
    CHECK(throttle.refuse("abc", 200, now) == 300ms);
    now += 299ms;
    CHECK(throttle.refuse("abc", 200, now) == 1ms);
    now += 1ms;
    CHECK_FALSE(throttle.refuse("abc", 200, now));
    CHECK(throttle.refuse("abc", 200, now) == 300ms);
    now += 30s;
    CHECK(taken("abc", 200) == 100);
    now += 2min;
    CHECK(taken("abc", 200) == 200);
  }
  SUBCASE("to refuse costs the user nothing, and others even less") {
    CHECK(taken("abc", 1) == 1);
    for (int i = 0; i < 1'000; ++i) CHECK(throttle.refuse("abc", 1, now) == 60s);
    CHECK_FALSE(throttle.refuse("xyz", 1, now));
    now += 60s;
    CHECK_FALSE(throttle.refuse("abc", 1, now));
  }
  SUBCASE("shares that are no whole milliseconds do not add up to a fault") {
    CHECK(taken("abc", 7) == 7);
    now += 1min;
    CHECK(taken("abc", 7) == 7);
    CHECK(throttle.refuse("abc", 7, now) == 8572ms);
  }
  SUBCASE("a start that is taken back leaves its place to another") {
    CHECK(taken("abc", 3) == 3);
    throttle.take_back("abc");
    CHECK(taken("abc", 3) == 1);
    throttle.take_back("nobody");
    CHECK(taken("nobody", 3) == 3);
  }
  SUBCASE("0 is any number, and remembers nobody") {
    CHECK(taken("abc", 0) == 1'000);
    CHECK(throttle.users() == 0);
  }
  SUBCASE("another rate counts from then on") {
    CHECK(taken("abc", 10) == 10);
    CHECK_FALSE(throttle.refuse("abc", 0, now));
    CHECK(throttle.refuse("abc", 20, now) == 3s);
  }
  SUBCASE("who is at rest is forgotten") {
    for (int i = 0; i < 100'000; ++i) {
      now += 1ms;
      CHECK_FALSE(throttle.refuse("u" + std::to_string(i), 200, now));
    }
    CHECK(throttle.users() <= 1024);
  }
  SUBCASE("beyond so many busy users more are let through, and those stay refused") {
    CHECK(taken("abc", 1) == 1);
    for (std::size_t i = 0; i < 2 * StartThrottle::kMaxUsers; ++i) {
      CHECK_FALSE(throttle.refuse("u" + std::to_string(i), 1, now));
    }
    CHECK(throttle.users() == StartThrottle::kMaxUsers);
    CHECK(throttle.refuse("abc", 1, now));
    CHECK(taken("late", 1) == 1'000);
    now += 1min;
    CHECK(taken("late", 1) == 1);
  }
}
