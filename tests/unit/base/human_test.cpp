#include "base/human.hpp"

#include <doctest/doctest.h>

namespace concur {
namespace {

using namespace std::chrono_literals;

TEST_CASE("human_duration has two units at most, rounded down") {
  CHECK(human_duration(0ms) == "0s");
  CHECK(human_duration(-5s) == "0s");
  CHECK(human_duration(999ms) == "0s");
  CHECK(human_duration(59'999ms) == "59s");
  CHECK(human_duration(60s) == "1m00s");
  CHECK(human_duration(190s) == "3m10s");
  CHECK(human_duration(3599s) == "59m59s");
  CHECK(human_duration(125min) == "2h05m");
  CHECK(human_duration(24h) == "1d00h");
  CHECK(human_duration(76h + 59min) == "3d04h");
}

TEST_CASE("human_bytes has at most three digits") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1024) == "1.0 KiB");
  CHECK(human_bytes(4'404'019) == "4.2 MiB");
  CHECK(human_bytes(10 * 1024) == "10 KiB");
  CHECK(human_bytes(1'048'575) == "1.0 MiB");  // and not 1024 KiB
  CHECK(human_bytes(999 * 1024) == "999 KiB");
  CHECK(human_bytes(~std::uint64_t{0}) == "16 EiB");
}

TEST_CASE("human_minute") {
  CHECK(human_minute(WallTime(Millis(1'795'449'659'999))) == "2026-11-23 16:00 UTC");
}

}  // namespace
}  // namespace concur
