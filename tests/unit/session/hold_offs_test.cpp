#include "session/hold_offs.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

namespace {

constexpr Millis kHoldOff = 3min;

struct Fixture {
  Table table{1};
  HoldOffs hold_offs;
  Instant now{};

  std::optional<std::int64_t> add(const char* user, std::int64_t row, const std::string& session,
                                  Mark mark = Mark::kHeldOff) {
    return hold_offs.add(table.keep(user), {row, PackedText(session), {}, {}, mark, now});
  }
  Millis left(const char* user, std::string_view session) {
    const auto marks = hold_offs.of(table.find_user(user));
    return hold_off_left(marks, viewer_of(session, {}, {}), kHoldOff, now);
  }
  std::optional<std::int64_t> drop_over() { return hold_offs.drop_over(kHoldOff, now); }
  bool knows(const char* user) const { return table.find_user(user) != kNoSlot; }
};

}  // namespace

TEST_CASE("HoldOffs") {
  Fixture fixture;
  SUBCASE("hold a viewer off, of that user alone, until it is over") {
    fixture.add("abc", 1, "s1");
    CHECK(fixture.left("abc", "s1") == kHoldOff);
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
    CHECK(fixture.drop_over() == 1);
    CHECK(fixture.knows("abc"));
    CHECK(fixture.drop_over() == 2);
    CHECK_FALSE(fixture.knows("abc"));
    CHECK_FALSE(fixture.drop_over());
  }
  SUBCASE("are dropped when they are over, and no sooner") {
    fixture.add("abc", 1, "s1");
    fixture.now += 1min;
    fixture.add("xyz", 2, "s1");
    fixture.now += kHoldOff - 1min - 1ms;
    CHECK_FALSE(fixture.drop_over());
    fixture.now += 1ms;
    CHECK(fixture.drop_over() == 1);
    CHECK_FALSE(fixture.drop_over());
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
    CHECK_FALSE(fixture.drop_over());
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
  SUBCASE("of one user the latest of each kind are remembered") {
    fixture.add("abc", 1, "s1");
    for (std::size_t i = 0; i < 3 * kMaxHeldOff; ++i) {
      fixture.add("abc", static_cast<std::int64_t>(100 + i), "p", Mark::kProtected);
    }
    CHECK(fixture.left("abc", "s1") == kHoldOff);
    CHECK(fixture.hold_offs.of(fixture.table.find_user("abc")).size() == kMaxHeldOff + 1);
  }
  SUBCASE("stored ones are of the viewer they name") {
    const Viewer tv = viewer_of("s1", "tv", "192.0.2.1");
    const Viewer home = viewer_of("s1", {}, "192.0.2.1");
    const Viewer session = viewer_of("s1", {}, {});
    const auto mark = [](const char* device, const char* address) {
      return mark_of({1, "abc", "s1", device, {}, address, Mark::kHeldOff}, {});
    };
    CHECK(mark("tv", "192.0.2.1").is(tv));
    CHECK_FALSE(mark("tv", "192.0.2.1").is(home));
    CHECK(mark("tv", "192.0.2.1").has(home));
    CHECK(mark("", "192.0.2.1").is(home));
    CHECK_FALSE(mark("", "192.0.2.1").has(tv));
    CHECK_FALSE(mark("", "192.0.2.1").is(session));
    CHECK(mark("", "192.0.2.1").has(session));
    CHECK(mark("", "").is(session));
    CHECK_FALSE(mark("", "").has(home));
    CHECK(mark("", "2001:db8::").is(viewer_of("s2", {}, "2001:db8::9")));
    // An older daemon knew no marks.
    CHECK(mark_of({1, "abc", "s1", "tv", {}}, {}).mark == Mark::kOld);
  }
}
