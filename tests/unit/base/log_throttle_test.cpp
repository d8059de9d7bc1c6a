#include "base/log_throttle.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("LogThrottle") {
  const Instant start{};
  SUBCASE("lets a few through in a span, and the next one learns how many were suppressed") {
    LogThrottle throttle(2, 60s);
    CHECK(throttle.next(start) == 0);
    CHECK(throttle.next(start + 1s) == 0);
    CHECK_FALSE(throttle.next(start + 2s));
    CHECK_FALSE(throttle.next(start + 59'999ms));
    CHECK(throttle.next(start + 60s) == 2);
    CHECK(throttle.next(start + 61s) == 0);
    CHECK_FALSE(throttle.next(start + 62s));
  }
  SUBCASE("where no further line comes, the rest is told once, after the span") {
    LogThrottle throttle(1, 60s);
    CHECK(throttle.take_left_over(start) == 0);
    CHECK(throttle.next(start) == 0);
    CHECK(throttle.take_left_over(start + 1h) == 0);
    CHECK(throttle.next(start + 1h) == 0);
    CHECK_FALSE(throttle.next(start + 1h));
    CHECK_FALSE(throttle.next(start + 1h + 1s));
    CHECK(throttle.take_left_over(start + 1h + 59s) == 0);
    CHECK(throttle.take_left_over(start + 1h + 60s) == 2);
    CHECK(throttle.take_left_over(start + 2h) == 0);
    CHECK(throttle.next(start + 2h) == 0);
  }
  SUBCASE("a span begins with the first line in it") {
    LogThrottle throttle(2, 60s);
    CHECK(throttle.next(start + 1h) == 0);
    CHECK(throttle.next(start + 1h + 59s) == 0);
    CHECK_FALSE(throttle.next(start + 1h + 59s));
  }
  SUBCASE("of one line a span the next comes after the span, to the millisecond") {
    LogThrottle throttle(1, 60s);
    CHECK(throttle.next(start));
    CHECK_FALSE(throttle.next(start));
    CHECK_FALSE(throttle.next(start + 59'999ms));
    CHECK(throttle.next(start + 60s));
    CHECK_FALSE(throttle.next(start + 61s));
  }
}
