#include "session/hold_offs.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Table table{1};
  HoldOffs hold_offs;
  Instant now{};

  std::optional<std::int64_t> add(const char* user, std::int64_t row, const std::string& session,
                                  const std::string& device = "") {
    return hold_offs.add(table.keep(user), {row, PackedText(session), PackedText(device), now});
  }
  Millis left(const char* user, std::string_view session, std::string_view device = "") {
    return hold_offs.left(table.find_user(user), {session, device}, now);
  }
  bool knows(const char* user) const { return table.find_user(user) != kNoSlot; }
};

}  // namespace

TEST_CASE("HoldOffs") {
  Fixture fixture;
  SUBCASE("hold a session and its device off, of that user alone, until it is over") {
    fixture.add("abc", 1, "s1", "tv");
    CHECK(fixture.left("abc", "s1") == kHoldOff);
    CHECK(fixture.left("abc", "other", "tv") == kHoldOff);
    CHECK(fixture.left("abc", "other") == 0ms);
    CHECK(fixture.left("xyz", "s1") == 0ms);
    fixture.now += kHoldOff;
    CHECK(fixture.left("abc", "s1") == 0ms);
  }
  SUBCASE("keep their user for as long") {
    fixture.add("abc", 1, "s1");
    fixture.add("abc", 2, "s2");
    CHECK(fixture.knows("abc"));
    fixture.now += kHoldOff;
    CHECK(fixture.hold_offs.drop_over(fixture.now) == 1);
    CHECK(fixture.knows("abc"));
    CHECK(fixture.hold_offs.drop_over(fixture.now) == 2);
    CHECK_FALSE(fixture.knows("abc"));
    CHECK_FALSE(fixture.hold_offs.drop_over(fixture.now));
  }
  SUBCASE("are dropped when they are over, and no sooner") {
    fixture.add("abc", 1, "s1");
    fixture.now += 1min;
    fixture.add("xyz", 2, "s1");
    fixture.now += kHoldOff - 1min - 1ms;
    CHECK_FALSE(fixture.hold_offs.drop_over(fixture.now));
    fixture.now += 1ms;
    CHECK(fixture.hold_offs.drop_over(fixture.now) == 1);
    CHECK_FALSE(fixture.hold_offs.drop_over(fixture.now));
  }
  SUBCASE("the latest is removed again, by its row") {
    fixture.add("abc", 1, "s1");
    fixture.add("abc", 2, "s2");
    fixture.hold_offs.remove_latest(fixture.table.find_user("abc"), 1);
    CHECK(fixture.left("abc", "s1") == kHoldOff);
    fixture.hold_offs.remove_latest(fixture.table.find_user("abc"), 2);
    CHECK(fixture.left("abc", "s2") == 0ms);
    fixture.hold_offs.remove_latest(fixture.table.find_user("abc"), 1);
    CHECK_FALSE(fixture.knows("abc"));
    fixture.hold_offs.remove_latest(7, 1);
  }
  SUBCASE("one that was removed and comes again is dropped by its own time") {
    fixture.add("abc", 1, "s1");
    fixture.hold_offs.remove_latest(fixture.table.find_user("abc"), 1);
    fixture.now += 1min;
    fixture.add("abc", 1, "s1");
    fixture.now += kHoldOff - 1min;
    CHECK_FALSE(fixture.hold_offs.drop_over(fixture.now));
    CHECK(fixture.left("abc", "s1") == 1min);
  }
  SUBCASE("of one user the latest are remembered") {
    for (std::size_t i = 0; i < kMaxHeldOff; ++i) {
      CHECK_FALSE(fixture.add("abc", static_cast<std::int64_t>(i), "s" + std::to_string(i)));
    }
    CHECK(fixture.add("abc", 1000, "one more") == 0);
    CHECK(fixture.left("abc", "s0") == 0ms);
    CHECK(fixture.left("abc", "s1") == kHoldOff);
  }
}
