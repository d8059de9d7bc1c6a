#include "base/duration.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("parse_duration") {
  SUBCASE("reads a number and a unit, seconds by default") {
    CHECK(*parse_duration("90") == 90s);
    CHECK(*parse_duration("90s") == 90s);
    CHECK(*parse_duration("5m") == 5min);
    CHECK(*parse_duration("2h") == 2h);
    CHECK(*parse_duration("7d") == 168h);
    CHECK(*parse_duration("500ms") == 500ms);
    CHECK(*parse_duration("0") == 0s);
  }
  SUBCASE("refuses anything else") {
    for (const char* text :
         {"", "s", "-1", "+1", "1.5s", "1 s", " 1", "1s ", "1w", "1ss", "0x10", "90S",
          "9223372036854775808", "9223372036854775807", "36601d", "1e3"}) {
      CAPTURE(text);
      const auto parsed = parse_duration(text);
      REQUIRE(parsed.has_error());
      CHECK(parsed.error().kind == ErrorKind::kInvalid);
    }
  }
  SUBCASE("says of one that is too long that it is, and not that it is none") {
    CHECK(*parse_duration("36600d") == kMaxDuration);
    for (const char* text : {"36601d", "9223372036854775807", "99999999999999999999d"}) {
      CAPTURE(text);
      const std::string message = parse_duration(text).error().message;
      CHECK(message == std::string("cannot read duration '") + text + "': it takes at most 36600d");
    }
    for (const char* text : {"99999999999999999999w", "-99999999999999999999"}) {
      CAPTURE(text);
      CHECK(parse_duration(text).error().message.find("it takes a whole number") !=
            std::string::npos);
    }
  }
  SUBCASE("refuses every cut and every added byte of a good one") {
    const std::string good = "120s";
    for (std::size_t cut = 0; cut + 2 < good.size(); ++cut) {
      CHECK(parse_duration(good.substr(0, cut) + "!" + good.substr(cut)).has_error());
    }
    CHECK(parse_duration(std::string("90\0", 3)).has_error());
  }
}

TEST_CASE("format_duration reads back to the same value") {
  for (const Millis value : {Millis(0), Millis(1), Millis(1500), Millis(90'000), Millis(3'600'000),
                             Millis(86'400'000)}) {
    CHECK(*parse_duration(format_duration(value)) == value);
  }
  CHECK(format_duration(90s) == "90s");
  CHECK(format_duration(120s) == "2m");
}
