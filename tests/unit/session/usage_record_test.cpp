#include "session/usage_record.hpp"

#include "support/house.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::House;
using concur::test::id;

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
std::map<std::int64_t, Usage> recorded(House& house, const std::string& user = "abc") {
  std::map<std::int64_t, Usage> hours;
  house.registry.flush_usage(1000, house.clock.now());
  for (const Change& change : house.store()) {
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
  House house;
  house.stores = false;
  const auto usage = [&] {
    const auto hours = recorded(house);
    REQUIRE(hours.size() == 1);
    return hours.begin()->second;
  };
  SUBCASE("starts, the peak, and no renewals") {
    house.fill("abc");
    house.start("abc", "s1");
    house.ask(Heartbeat{id("abc"), id("s1")});
    const Usage hour = usage();
    CHECK(hour.starts == 3);
    CHECK(hour.denials == 0);
    CHECK(hour.peak == 3);
    CHECK(hour.attempted == 3);
    CHECK(hour.excess == 0);
  }
  SUBCASE("denials, and how many wanted to watch at once") {
    house.fill("abc");
    for (const char* session : {"s4", "s5", "s4", "s5", "s6"}) house.denied("abc", session);
    const Usage hour = usage();
    CHECK(hour.denials == 5);
    CHECK(hour.peak == 3);
    CHECK(hour.attempted == 6);
    CHECK(hour.excess == 3);
  }
  SUBCASE("one player that tries under ever new names once, by its device") {
    house.fill("abc");
    for (int i = 0; i < 10; ++i) house.ask(attempt("try" + std::to_string(i), "tv"));
    CHECK(usage().attempted == 4);
  }
  SUBCASE("a refused player for one lease only, and not once it was let in") {
    house.fill("abc");
    house.denied("abc", "s4");
    house.ask(End{id("abc"), id("s1")});
    house.start("abc", "s4");
    house.denied("abc", "s5");
    CHECK(usage().attempted == 4);
    house.clock.tick(60s);
    for (const char* session : {"s2", "s3", "s4"}) house.ask(Heartbeat{id("abc"), id(session)});
    house.clock.tick(30s);
    house.denied("abc", "s6");
    CHECK(usage().attempted == 4);
  }
  SUBCASE("evictions, and those evicted as still wanting to watch") {
    house.fill("abc");
    house.ask<Granted>(evicting("s4"));
    house.ask<Granted>(evicting("s5"));
    const Usage hour = usage();
    CHECK(hour.evictions == 2);
    CHECK(hour.starts == 5);
    CHECK(hour.peak == 3);
    CHECK(hour.attempted == 5);
  }
  SUBCASE("a take-over as an eviction, but not as wanting more") {
    house.fill("abc");
    Start start = attempt("s4");
    start.replace = id("s1");
    house.ask<Granted>(start);
    const Usage hour = usage();
    CHECK(hour.evictions == 1);
    CHECK(hour.attempted == 3);
  }
  SUBCASE("no reconnects") {
    house.ask<Granted>(attempt("s1", "tv"));
    house.ask<Granted>(attempt("s2", "tv"));
    CHECK(usage().evictions == 0);
  }
  SUBCASE("what would have been denied, in observe mode") {
    house.set_policy({.limit = 1, .mode = Mode::kObserve});
    house.start("abc", "s1");
    house.start("abc", "s2");
    const Usage hour = usage();
    CHECK(hour.starts == 2);
    CHECK(hour.denials == 1);
    CHECK(hour.peak == 2);
    CHECK(hour.excess == 1);
  }
  SUBCASE("devices and households, of the refused too") {
    house.set_policy({.limit = 1});
    house.ask(attempt("s1", "tv", "2001:db8::1"));
    house.ask(attempt("s2", "phone", "2001:db8::2"));
    house.ask(attempt("s3", "tablet", "192.0.2.1"));
    house.ask(attempt("s4", "phone", "192.0.2.2"));
    const Usage hour = usage();
    CHECK(hour.devices.estimate() == 3);
    CHECK(hour.addresses.estimate() == 3);
  }
  SUBCASE("each user's alone") {
    house.fill("abc");
    house.fill("xyz");
    CHECK(recorded(house, "xyz").begin()->second.starts == 3);
  }
}

TEST_CASE("The record of who shares is handed over") {
  House house;
  house.stores = false;
  const auto parts = [&] {
    int count = 0;
    house.registry.sweep(100, 0ms, house.clock.now());
    for (const Change& change : house.store()) count += std::holds_alternative<AddUsage>(change);
    return count;
  };
  SUBCASE("a while after it began, and then no more of it is kept") {
    house.start("abc", "s1");
    CHECK(parts() == 0);
    house.clock.tick(UsageRecord::kPart);
    CHECK(parts() == 1);
    house.clock.tick(UsageRecord::kPart);
    CHECK(parts() == 0);
  }
  SUBCASE("by the hour, of the wall clock") {
    house.start("abc", "s1");
    house.clock.tick(1h);
    house.start("abc", "s2");
    const auto hours = recorded(house);
    CHECK(hours.size() == 2);
    CHECK(hours.begin()->first == 1'795'449'600 / 3600);
  }
  SUBCASE("again where it could not be stored") {
    house.start("abc", "s1");
    house.store();
    house.start("abc", "s2");
    house.store();
    house.registry.flush_usage(1000, house.clock.now());
    house.registry.roll_back();
    const auto hours = recorded(house);
    REQUIRE(hours.size() == 1);
    CHECK(hours.begin()->second.starts == 2);
    CHECK(hours.begin()->second.peak == 2);
  }
  SUBCASE("without the starts that were undone") {
    house.start("abc", "s1");
    house.start("xyz", "s1");
    house.registry.roll_back();
    CHECK(recorded(house).empty());
  }
  SUBCASE("of all users, whatever was undone before") {
    for (int times = 0; times < 3; ++times) {
      house.start("abc", "s1");
      house.registry.roll_back();
    }
    house.start("abc", "s1");
    house.start("xyz", "s1");
    house.store();
    Start refused = attempt("s2");
    refused.limit = 1;
    house.ask(refused);  // keeps abc in the record
    CHECK(recorded(house, "xyz").size() == 1);
  }
  SUBCASE("the oldest where there are more than can be kept, a few with each that comes") {
    const auto usages = [&] {
      std::size_t count = 0;
      for (const Change& change : house.store()) count += std::holds_alternative<AddUsage>(change);
      return count;
    };
    for (int i = 0; i < 65'536; ++i) house.start("u" + std::to_string(i), "s1");
    CHECK(usages() == 0);
    house.start("one more", "s1");
    CHECK(usages() == 2);
    house.start("another", "s1");
    CHECK(usages() == 0);
    house.start("a third", "s1");
    CHECK(usages() == 2);
  }
  SUBCASE("on a clean stop") {
    house.start("abc", "s1");
    house.save_all();
    int count = 0;
    for (const Change& change : house.store()) count += std::holds_alternative<AddUsage>(change);
    CHECK(count == 1);
  }
}
