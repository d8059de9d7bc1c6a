#include "base/clock.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("format_utc") {
  SUBCASE("writes RFC 3339 with milliseconds") {
    CHECK(format_utc(WallTime(Millis(0))) == "1970-01-01T00:00:00.000Z");
    CHECK(format_utc(WallTime(Millis(1'795'449'600'007))) == "2026-11-23T16:00:00.007Z");
    CHECK(format_utc(WallTime(Millis(951'782'399'999))) == "2000-02-28T23:59:59.999Z");
    CHECK(format_utc(WallTime(Millis(951'782'400'000))) == "2000-02-29T00:00:00.000Z");
  }
  SUBCASE("stays a time, whatever the number") {
    CHECK(format_utc(WallTime(Millis(INT64_MIN))) == "0000-01-01T00:00:00.000Z");
    CHECK(format_utc(WallTime(Millis(INT64_MAX))) == "9999-12-31T23:59:59.999Z");
    CHECK(format_utc(WallTime(Millis(-1))) == "1969-12-31T23:59:59.999Z");
  }
}

TEST_CASE("Now") {
  const Now now{Instant(Millis(5000)), std::chrono::nanoseconds(1'000'999'999), Millis(0)};
  SUBCASE("names an instant by the wall clock and back exactly") {
    CHECK(now.wall() == WallTime(Millis(6000)));
    CHECK(now.wall().time_since_epoch() - now.offset() == now.instant.time_since_epoch());
  }
}

TEST_CASE("SystemClock never goes back") {
  const SystemClock clock;
  const Instant first = clock.now().instant;
  CHECK(clock.now().instant >= first);
}
