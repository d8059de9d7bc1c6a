#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

std::string name_of(EventKind kind) {
  constexpr const char* kNames[] = {"started", "renewed", "ended",  "expired",
                                    "evicted", "purged",  "denied", "limit"};
  return kNames[static_cast<int>(kind)];
}

// "started abc/s1 1, ended abc/s1 0": what, who, and how many are active then.
std::string published(RegistryFixture& fixture) {
  std::string all;
  fixture.registry.take_events([&](const Event& event) {
    all += (all.empty() ? "" : ", ") + name_of(event.kind) + " " + event.user.str();
    if (!event.session.empty()) {
      all += "/" + event.session.str() + " " + std::to_string(event.active);
    }
  });
  return all;
}

}  // namespace

TEST_CASE("Registry: events") {
  RegistryFixture fixture;
  SUBCASE("report a session's life") {
    fixture.start("abc", "s1");
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    fixture.ask(End{id("abc"), id("s1")});
    CHECK(published(fixture) == "started abc/s1 1, ended abc/s1 0");
  }
  SUBCASE("report renewals where somebody asks") {
    fixture.start("abc", "s1");
    fixture.registry.publish_renewals(true);
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    CHECK(published(fixture) == "started abc/s1 1, renewed abc/s1 1");
  }
  SUBCASE("report denials, evictions, expiries and purges") {
    fixture.set_policy({.limit = 1});
    fixture.start("abc", "s1");
    fixture.denied("abc", "s2");
    Start start{id("abc"), id("s3")};
    start.on_limit = OnLimit::kEvictOldest;
    fixture.ask<Granted>(start);
    fixture.clock.tick(90s);
    fixture.registry.sweep(100, 0ms, fixture.clock.now());
    fixture.store();
    fixture.start("abc", "s4");
    fixture.ask(Purge{});
    CHECK(published(fixture) ==
          "limit , started abc/s1 1, denied abc/s2 1, evicted abc/s1 0, started abc/s3 1, "
          "expired abc/s3 0, started abc/s4 1, purged abc/s4 0");
  }
  SUBCASE("report a denial that is tried again not at all, and nothing is recorded of it") {
    fixture.set_policy({.limit = 1});
    fixture.start("abc", "s1");
    Start start{id("abc"), id("s2")};
    start.tries = true;
    const auto denied = fixture.ask<Denied>(start);
    CHECK(denied.active == 1);
    CHECK(denied.attempted == 2);
    CHECK(denied.retry_after == 90s);
    CHECK(denied.sessions.empty());
    CHECK(published(fixture) == "limit , started abc/s1 1");
    start.tries = false;
    start.waited = 7s;
    CHECK(fixture.ask<Denied>(start).sessions.size() == 1);
    std::optional<Millis> waited;
    fixture.registry.take_events(
        [&waited](const Event& event) { waited = event.more ? event.more->waited : std::nullopt; });
    CHECK(waited == 7s);
  }
  SUBCASE("report limits") {
    fixture.ask(SetLimit{id("abc"), 5});
    fixture.ask(SetPlan{id("gold"), 5});
    CHECK(published(fixture) == "limit abc, limit ");
  }
  SUBCASE("wait until what they report is stored, and come in order") {
    fixture.stores = false;
    fixture.start("abc", "s1");
    CHECK_FALSE(fixture.registry.has_events());
    fixture.store();
    CHECK(published(fixture) == "started abc/s1 1");
  }
  SUBCASE("of what was undone never come; a denial that stood without it does") {
    fixture.fill("abc");
    published(fixture);
    fixture.stores = false;
    fixture.start("xyz", "s1");
    fixture.denied("abc", "s4");
    fixture.registry.roll_back();
    CHECK(published(fixture) == "denied abc/s4 3");
  }
  SUBCASE("say in observe mode that a denial was none") {
    fixture.set_policy({.limit = 1, .mode = Mode::kObserve});
    fixture.start("abc", "s1");
    fixture.start("abc", "s2");
    bool would_deny = false;
    fixture.registry.take_events([&](const Event& event) { would_deny |= event.would_deny; });
    CHECK(would_deny);
  }
}
