#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

Start again(std::string_view session) {
  Start start{id("abc"), id(session)};
  start.never_revives = true;
  return start;
}

}  // namespace

TEST_CASE("Registry: a start that revives nobody") {
  RegistryFixture fixture;
  SUBCASE("starts whom nobody knows, and renews who is active") {
    CHECK_FALSE(fixture.ask<Granted>(again("s1")).renewed);
    CHECK(fixture.ask<Granted>(again("s1")).renewed);
  }
  SUBCASE("starts who expired") {
    fixture.start("abc", "s1");
    fixture.clock.tick(90s);
    CHECK_FALSE(fixture.ask<Granted>(again("s1")).renewed);
  }
  SUBCASE("is refused where somebody ended the session, with what there is beside it") {
    fixture.fill("abc");
    fixture.ask(End{id("abc"), id("s1")});
    const Gone gone = fixture.ask<Gone>(again("s1"));
    CHECK(gone.reason == EndReason::kEnded);
    CHECK(gone.user == "abc");
    CHECK(gone.session == "s1");
    CHECK(gone.active == 2);
    CHECK(gone.limit == 3);
    CHECK(fixture.names("abc") == "s2 s3");
    CHECK(fixture.ask<Granted>(again("s4")).active == 3);
  }
  SUBCASE("is refused where it was purged or evicted, and where its place is free again") {
    fixture.fill("abc");
    Start evicting{id("abc"), id("s4")};
    evicting.on_limit = OnLimit::kEvictOldest;
    fixture.ask<Granted>(evicting);
    const Gone evicted = fixture.ask<Gone>(again("s1"));
    CHECK(evicted.reason == EndReason::kEvicted);
    REQUIRE(evicted.eviction);
    CHECK(evicted.eviction->by.session == "s4");
    fixture.ask(Purge{.user = id("abc")});
    CHECK(fixture.ask<Gone>(again("s2")).reason == EndReason::kPurged);
    CHECK(fixture.ask<Gone>(again("s1")).reason == EndReason::kEvicted);
  }
  SUBCASE("is refused for as long as that is remembered") {
    fixture.start("abc", "s1");
    fixture.ask(End{id("abc"), id("s1")});
    fixture.clock.tick(10min - 1ms);
    fixture.ask<Gone>(again("s1"));
    fixture.clock.tick(1ms);
    CHECK_FALSE(fixture.ask<Granted>(again("s1")).renewed);
  }
  SUBCASE("says what waits for the disk until it is there") {
    fixture.start("abc", "s1");
    fixture.stores = false;
    fixture.ask(End{id("abc"), id("s1")});
    CHECK(fixture.waits_for(again("s1")) != 0);
  }
  SUBCASE("others still start the session anew") {
    fixture.start("abc", "s1");
    fixture.ask(End{id("abc"), id("s1")});
    CHECK_FALSE(fixture.start("abc", "s1").renewed);
    CHECK(fixture.ask<Granted>(again("s1")).renewed);
  }
}
