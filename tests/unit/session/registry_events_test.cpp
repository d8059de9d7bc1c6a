#include "session/registry.hpp"

#include "support/house.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::House;
using concur::test::id;

namespace {

std::string name_of(EventKind kind) {
  constexpr const char* kNames[] = {"started", "renewed", "ended",  "expired",
                                    "evicted", "purged",  "denied", "limit"};
  return kNames[static_cast<int>(kind)];
}

// "started abc/s1 1, ended abc/s1 0": what, who, and how many are active then.
std::string published(House& house) {
  std::string all;
  house.registry.take_events([&](const Event& event) {
    all += (all.empty() ? "" : ", ") + name_of(event.kind) + " " + event.user.str();
    if (!event.session.empty()) {
      all += "/" + event.session.str() + " " + std::to_string(event.active);
    }
  });
  return all;
}

}  // namespace

TEST_CASE("Registry: events") {
  House house;
  SUBCASE("report a session's life") {
    house.start("abc", "s1");
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.ask(End{id("abc"), id("s1")});
    CHECK(published(house) == "started abc/s1 1, ended abc/s1 0");
  }
  SUBCASE("report renewals where somebody asks") {
    house.start("abc", "s1");
    house.registry.publish_renewals(true);
    house.ask(Heartbeat{id("abc"), id("s1")});
    CHECK(published(house) == "started abc/s1 1, renewed abc/s1 1");
  }
  SUBCASE("report denials, evictions, expiries and purges") {
    house.set_policy({.limit = 1});
    house.start("abc", "s1");
    house.denied("abc", "s2");
    Start start{id("abc"), id("s3")};
    start.on_limit = OnLimit::kEvictOldest;
    house.ask<Granted>(start);
    house.clock.tick(90s);
    house.registry.sweep(100, 0ms, house.clock.now());
    house.store();
    house.start("abc", "s4");
    house.ask(Purge{});
    CHECK(published(house) ==
          "limit , started abc/s1 1, denied abc/s2 1, evicted abc/s1 0, started abc/s3 1, "
          "expired abc/s3 0, started abc/s4 1, purged abc/s4 0");
  }
  SUBCASE("report limits") {
    house.ask(SetLimit{id("abc"), 5});
    house.ask(SetPlan{id("gold"), 5});
    CHECK(published(house) == "limit abc, limit ");
  }
  SUBCASE("wait until what they report is stored, and come in order") {
    house.stores = false;
    house.start("abc", "s1");
    CHECK_FALSE(house.registry.has_events());
    house.store();
    CHECK(published(house) == "started abc/s1 1");
  }
  SUBCASE("of what was undone never come; a denial that stood without it does") {
    house.fill("abc");
    published(house);
    house.stores = false;
    house.start("xyz", "s1");
    house.denied("abc", "s4");
    house.registry.roll_back();
    CHECK(published(house) == "denied abc/s4 3");
  }
  SUBCASE("say in observe mode that a denial was none") {
    house.set_policy({.limit = 1, .mode = Mode::kObserve});
    house.start("abc", "s1");
    house.start("abc", "s2");
    bool would_deny = false;
    house.registry.take_events([&](const Event& event) { would_deny |= event.would_deny; });
    CHECK(would_deny);
  }
}
