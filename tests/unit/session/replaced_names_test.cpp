#include "session/replaced_names.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

namespace {

const Viewer kTv{.device = "tv"};
constexpr Millis kHoldOff = 3min;

struct Fixture {
  ReplacedNames replaced{1};
  Instant now{};
  std::uint64_t change = 0;

  void add(std::string_view session, std::string_view address = {}) {
    replaced.add("abc", kTv, session, address, ++change, now);
  }
  bool has(std::string_view session, std::string_view address = {}) const {
    return replaced.has("abc", kTv, session, address, kHoldOff, now);
  }
};

}  // namespace

TEST_CASE("ReplacedNames") {
  Fixture fixture;
  SUBCASE("know names and addresses, of that user and viewer alone, until it is over") {
    fixture.add("s1", "192.0.2.1");
    CHECK(fixture.has("s1"));
    CHECK(fixture.has("other", "192.0.2.1"));
    CHECK_FALSE(fixture.has("other", "192.0.2.2"));
    CHECK_FALSE(fixture.has("192.0.2.1", "s1"));
    CHECK_FALSE(fixture.replaced.has("xyz", kTv, "s1", {}, kHoldOff, fixture.now));
    const Viewer other{.network = "tv"};
    CHECK_FALSE(fixture.replaced.has("abc", other, "s1", {}, kHoldOff, fixture.now));
    fixture.now += kHoldOff - 1ms;
    CHECK(fixture.has("s1"));
    fixture.now += 1ms;
    CHECK_FALSE(fixture.has("s1"));
  }
  SUBCASE("an IPv6 address counts as its network") {
    fixture.add("s1", "2001:db8::1");
    CHECK(fixture.has("other", "2001:db8::2"));
    CHECK_FALSE(fixture.has("other", "2001:db8:0:1::1"));
  }
  SUBCASE("are forgotten when they are over, so many at a time, and no sooner") {
    fixture.add("s1");
    fixture.now += 1min;
    fixture.add("s2");
    fixture.add("s1");
    fixture.now += kHoldOff - 1min;
    fixture.replaced.drop_over(100, kHoldOff, fixture.now);
    CHECK(fixture.replaced.size() == 2);
    CHECK(fixture.has("s1"));
    fixture.now += 1min;
    fixture.replaced.drop_over(1, kHoldOff, fixture.now);
    CHECK(fixture.replaced.size() == 1);
    fixture.replaced.drop_over(100, kHoldOff, fixture.now);
    CHECK(fixture.replaced.size() == 0);
  }
  SUBCASE("are as before where what replaced them did not take place") {
    fixture.add("s1");
    fixture.now += 1min;
    fixture.add("s1");
    fixture.add("s2");
    fixture.replaced.roll_back_after(1);
    CHECK_FALSE(fixture.has("s2"));
    fixture.now += kHoldOff - 1min - 1ms;
    CHECK(fixture.has("s1"));
    fixture.now += 1ms;
    CHECK_FALSE(fixture.has("s1"));
    fixture.replaced.drop_over(100, kHoldOff, fixture.now);
    CHECK(fixture.replaced.size() == 0);
  }
  SUBCASE("are bounded") {
    for (std::size_t i = 0; i <= ReplacedNames::kMax; ++i) fixture.add("s" + std::to_string(i));
    CHECK(fixture.replaced.size() == ReplacedNames::kMax);
    CHECK_FALSE(fixture.has("s0"));
    CHECK(fixture.has("s1"));
  }
}
