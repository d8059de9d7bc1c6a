#include "session/usage_record.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

Start attempt(std::string_view session, std::string_view device = "", std::string_view ip = "") {
  Start start{id("abc"), id(session)};
  start.details.device = device;
  start.details.ip = ip;
  return start;
}

Start evicting(std::string_view session) {
  Start start = attempt(session);
  start.on_limit = OnLimit::kEvictOldest;
  return start;
}

// What the store would hold of one user.
std::map<std::int64_t, Usage> recorded(RegistryFixture& fixture, const std::string& user = "abc") {
  std::map<std::int64_t, Usage> hours;
  fixture.registry.flush_usage(1000, fixture.clock.now());
  for (const Change& change : fixture.store()) {
    const auto* add = std::get_if<AddUsage>(&change);
    if (add == nullptr || add->user != user) continue;
    Usage& hour = hours[add->usage.hour];
    hour.hour = add->usage.hour;
    hour.merge(add->usage);
  }
  return hours;
}

}  // namespace

TEST_CASE("The record of who shares counts") {
  RegistryFixture fixture;
  fixture.stores = false;
  const auto usage = [&] {
    const auto hours = recorded(fixture);
    REQUIRE(hours.size() == 1);
    return hours.begin()->second;
  };
  SUBCASE("starts, the peak, and no renewals") {
    fixture.fill("abc");
    fixture.start("abc", "s1");
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    const Usage hour = usage();
    CHECK(hour.starts == 3);
    CHECK(hour.denials == 0);
    CHECK(hour.peak == 3);
    CHECK(hour.attempted == 3);
    CHECK(hour.excess == 0);
  }
  SUBCASE("denials, and how many wanted to watch at once") {
    fixture.fill("abc");
    for (const char* session : {"s4", "s5", "s4", "s5", "s6"}) fixture.denied("abc", session);
    const Usage hour = usage();
    CHECK(hour.denials == 5);
    CHECK(hour.peak == 3);
    CHECK(hour.attempted == 6);
    CHECK(hour.excess == 3);
  }
  SUBCASE("one player that tries under ever new names once, by its device") {
    fixture.fill("abc");
    for (int i = 0; i < 10; ++i) fixture.ask(attempt("try" + std::to_string(i), "tv"));
    CHECK(usage().attempted == 4);
  }
  SUBCASE("a refused player for one lease only, and not once it was let in") {
    fixture.fill("abc");
    fixture.denied("abc", "s4");
    fixture.ask(End{id("abc"), id("s1")});
    fixture.start("abc", "s4");
    fixture.denied("abc", "s5");
    CHECK(usage().attempted == 4);
    fixture.clock.tick(60s);
    for (const char* session : {"s2", "s3", "s4"}) fixture.ask(Heartbeat{id("abc"), id(session)});
    fixture.clock.tick(30s);
    fixture.denied("abc", "s6");
    CHECK(usage().attempted == 4);
  }
  SUBCASE("evictions, and those evicted as still wanting to watch") {
    fixture.fill("abc");
    fixture.ask<Granted>(evicting("s4"));
    fixture.ask<Granted>(evicting("s5"));
    const Usage hour = usage();
    CHECK(hour.evictions == 2);
    CHECK(hour.starts == 5);
    CHECK(hour.peak == 3);
    CHECK(hour.attempted == 5);
  }
  SUBCASE("a take-over as an eviction, but not as wanting more") {
    fixture.fill("abc");
    Start start = attempt("s4");
    start.replace = id("s1");
    fixture.ask<Granted>(start);
    const Usage hour = usage();
    CHECK(hour.evictions == 1);
    CHECK(hour.attempted == 3);
  }
  SUBCASE("no reconnects") {
    fixture.ask<Granted>(attempt("s1", "tv"));
    fixture.ask<Granted>(attempt("s2", "tv"));
    CHECK(usage().evictions == 0);
  }
  SUBCASE("what would have been denied, in observe mode") {
    fixture.set_policy({.limit = 1, .mode = Mode::kObserve});
    fixture.start("abc", "s1");
    fixture.start("abc", "s2");
    const Usage hour = usage();
    CHECK(hour.starts == 2);
    CHECK(hour.denials == 1);
    CHECK(hour.peak == 2);
    CHECK(hour.excess == 1);
  }
  SUBCASE("devices and households, of the refused too") {
    fixture.set_policy({.limit = 1});
    fixture.ask(attempt("s1", "tv", "2001:db8::1"));
    fixture.ask(attempt("s2", "phone", "2001:db8::2"));
    fixture.ask(attempt("s3", "tablet", "192.0.2.1"));
    fixture.ask(attempt("s4", "phone", "192.0.2.2"));
    const Usage hour = usage();
    CHECK(hour.devices.estimate() == 3);
    CHECK(hour.addresses.estimate() == 3);
  }
  SUBCASE("a renewal from another device as another one, and as a stream too many") {
    fixture.ask(attempt("tok", "tv", "192.0.2.1"));
    fixture.ask(attempt("tok", "tv", "192.0.2.1"));
    CHECK(usage().conflicts == 0);
    fixture.ask(attempt("tok", "phone", "192.0.2.2"));
    const Usage hour = usage();
    CHECK(hour.devices.estimate() == 1);
    CHECK(hour.conflicts == 1);
    CHECK(hour.excess == 1);
  }
  SUBCASE("of a renewal without a device its address") {
    fixture.ask(attempt("tok", "", "2001:db8::1"));
    fixture.ask(attempt("tok", "", "2001:db8::2"));  // the same household's
    fixture.ask(attempt("tok", "", "192.0.2.2"));
    fixture.ask(attempt("tok", "", "192.0.2.2"));
    const Usage hour = usage();
    CHECK(hour.addresses.estimate() == 2);
    CHECK(hour.conflicts == 1);
  }
  SUBCASE("a device that moves with its addresses alone") {
    fixture.ask(attempt("tok", "tv", "192.0.2.1"));
    usage();
    fixture.ask(attempt("tok", "tv", "192.0.2.2"));
    const Usage hour = usage();
    CHECK(hour.starts == 0);
    CHECK(hour.addresses.estimate() == 1);
    CHECK(hour.conflicts == 0);
    CHECK(hour.excess == 0);
  }
  SUBCASE("what becomes known of a session by a renewal is no conflict") {
    fixture.ask(attempt("tok"));
    fixture.ask(attempt("tok", "tv"));
    fixture.ask(attempt("tok", "tv", "192.0.2.2"));
    CHECK(usage().conflicts == 0);
  }
  SUBCASE("each user's alone") {
    fixture.fill("abc");
    fixture.fill("xyz");
    CHECK(recorded(fixture, "xyz").begin()->second.starts == 3);
  }
}

TEST_CASE("The record of who shares is handed over") {
  RegistryFixture fixture;
  fixture.stores = false;
  const auto parts = [&] {
    int count = 0;
    fixture.registry.sweep(100, 0ms, fixture.clock.now());
    for (const Change& change : fixture.store()) count += std::holds_alternative<AddUsage>(change);
    return count;
  };
  SUBCASE("a while after it began, and then no more of it is kept") {
    fixture.start("abc", "s1");
    CHECK(parts() == 0);
    fixture.clock.tick(UsageRecord::kPart);
    CHECK(parts() == 1);
    fixture.clock.tick(UsageRecord::kPart);
    CHECK(parts() == 0);
  }
  SUBCASE("by the hour, of the wall clock") {
    fixture.start("abc", "s1");
    fixture.clock.tick(1h);
    fixture.start("abc", "s2");
    const auto hours = recorded(fixture);
    CHECK(hours.size() == 2);
    CHECK(hours.begin()->first == 1'795'449'600 / 3600);
  }
  SUBCASE("again where it could not be stored") {
    fixture.start("abc", "s1");
    fixture.store();
    fixture.start("abc", "s2");
    fixture.store();
    fixture.registry.flush_usage(1000, fixture.clock.now());
    fixture.registry.roll_back();
    const auto hours = recorded(fixture);
    REQUIRE(hours.size() == 1);
    CHECK(hours.begin()->second.starts == 2);
    CHECK(hours.begin()->second.peak == 2);
  }
  SUBCASE("without the starts that were undone") {
    fixture.start("abc", "s1");
    fixture.start("xyz", "s1");
    fixture.registry.roll_back();
    CHECK(recorded(fixture).empty());
  }
  SUBCASE("of all users, whatever was undone before") {
    for (int times = 0; times < 3; ++times) {
      fixture.start("abc", "s1");
      fixture.registry.roll_back();
    }
    fixture.start("abc", "s1");
    fixture.start("xyz", "s1");
    fixture.store();
    Start refused = attempt("s2");
    refused.limit = 1;
    fixture.ask(refused);  // keeps abc in the record
    CHECK(recorded(fixture, "xyz").size() == 1);
  }
  SUBCASE("the oldest where there are more than can be kept, a few with each that comes") {
    const auto usages = [&] {
      std::size_t count = 0;
      for (const Change& change : fixture.store())
        count += std::holds_alternative<AddUsage>(change);
      return count;
    };
    for (int i = 0; i < 65'536; ++i) fixture.start("u" + std::to_string(i), "s1");
    CHECK(usages() == 0);
    fixture.start("one more", "s1");
    CHECK(usages() == 2);
    fixture.start("another", "s1");
    CHECK(usages() == 0);
    fixture.start("a third", "s1");
    CHECK(usages() == 2);
  }
  SUBCASE("on a clean stop") {
    fixture.start("abc", "s1");
    fixture.save_all();
    int count = 0;
    for (const Change& change : fixture.store()) count += std::holds_alternative<AddUsage>(change);
    CHECK(count == 1);
  }
}
