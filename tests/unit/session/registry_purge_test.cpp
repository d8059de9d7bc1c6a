#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

struct PurgeFixture : RegistryFixture {
  PurgeFixture() {
    play("ann", "tv", {"tv", "192.0.2.1", "film", R"({"app":"web","version":2,"hd":true})"});
    play("ann", "phone", {"phone", "192.0.2.2", "film", R"({"app":"ios"})"});
    play("ben", "tv", {"tv", "192.0.2.1", "news", ""});
    play("cy", "plain", {});
  }
  void play(std::string_view user, std::string_view session, Details details) {
    Start start{id(user), id(session)};
    start.details = std::move(details);
    start.ttl = 24h;
    ask<Granted>(start);
    clock.tick(10s);
  }
  // By user and session, as they are gone.
  std::string purged(const Purge& purge) {
    Purge dry = purge;
    dry.dry_run = true;
    const auto counted = ask<Purged>(dry);
    const auto done = ask<Purged>(purge);
    CHECK(counted.count == done.count);
    std::string all;
    for (const auto& [user, session] : {std::pair("ann", "tv"), std::pair("ann", "phone"),
                                        std::pair("ben", "tv"), std::pair("cy", "plain")}) {
      const Answer beat = ask(Heartbeat{id(user), id(session)});
      if (std::holds_alternative<Gone>(beat)) all += std::string(user) + "/" + session + " ";
    }
    return all;
  }
};

}  // namespace

TEST_CASE("Registry: a purge means the sessions of which all holds") {
  PurgeFixture fixture;
  SUBCASE("an address") { CHECK(fixture.purged({.ip = "192.0.2.1"}) == "ann/tv ben/tv "); }
  SUBCASE("a device") { CHECK(fixture.purged({.device = "phone"}) == "ann/phone "); }
  SUBCASE("what is played") { CHECK(fixture.purged({.content = "film"}) == "ann/tv ann/phone "); }
  SUBCASE("meta, of whatever kind, and all of it") {
    CHECK(fixture.purged({.meta = {{"app", "android"}}}).empty());
    CHECK(fixture.purged({.meta = {{"app", "web"}, {"version", "3"}}}).empty());
    CHECK(fixture.purged({.meta = {{"app", "web"}, {"version", "2"}, {"hd", "true"}}}) ==
          "ann/tv ");
  }
  SUBCASE("an age") {
    CHECK(fixture.purged({.older_than = 40s + 1ms}).empty());
    CHECK(fixture.purged({.older_than = 30s}) == "ann/tv ann/phone ");
  }
  SUBCASE("no sign of life") {
    fixture.ask(Heartbeat{id("ann"), id("tv")});
    CHECK(fixture.purged({.idle = 20s}) == "ann/phone ben/tv ");
  }
  SUBCASE("any of these together, of one user or of all") {
    CHECK(fixture.purged({.user = id("ben"), .ip = "192.0.2.2"}).empty());
    CHECK(fixture.purged({.user = id("ben"), .ip = "192.0.2.1"}) == "ben/tv ");
    CHECK(fixture.purged({.older_than = 40s, .ip = "192.0.2.1", .device = "tv"}) ==
          "ann/tv ben/tv ");
  }
  SUBCASE("a preview counts users, too, and changes nothing") {
    const auto counted = fixture.ask<Purged>(Purge{.dry_run = true, .block = 1h});
    CHECK(counted.count == 4);
    CHECK(counted.users == 3);
    CHECK_FALSE(counted.blocked.has_value());
    CHECK(fixture.names("ann") == "tv phone");
    CHECK_FALSE(fixture.list("ann").blocked);
  }
}

TEST_CASE("Registry: a purge that keeps users out") {
  PurgeFixture fixture;
  SUBCASE("keeps out those whose sessions it means, before any of these ends") {
    fixture.stores = false;
    const auto purged =
        fixture.ask<Purged>(Purge{.ip = "192.0.2.1", .block = 1h, .message = "Please call us."});
    CHECK(purged.count == 2);
    CHECK(*purged.blocked == 2);
    std::vector<std::string> kept_out;
    for (const Change& each : fixture.store_sessions()) {
      if (const auto* put = std::get_if<PutBlock>(&each)) kept_out.push_back(put->row.user);
      const auto* gone = std::get_if<PutGone>(&each);
      if (gone == nullptr) continue;
      CHECK(std::ranges::count(kept_out, gone->row.user) == 1);
      CHECK(gone->row.message == "Please call us.");
    }
    CHECK(kept_out == std::vector<std::string>{"ann", "ben"});
    fixture.stores = true;
    CHECK(*fixture.ask<Blocked>(Start{id("ann"), id("new")}).retry_after == 1h);
    CHECK(fixture.ask<Blocked>(Start{id("ben"), id("new")}).message == "Please call us.");
    fixture.start("cy", "new");
    CHECK(fixture.ask<Granted>(Heartbeat{id("ann"), id("phone")}).renewed);
  }
  SUBCASE("keeps out a named user in any case, and a user of whom nothing is known") {
    const auto none = fixture.ask<Purged>(
        Purge{.user = id("ann"), .ip = "198.51.100.1", .block = 1h, .blocks_anyway = true});
    CHECK(none.count == 0);
    CHECK(*none.blocked == 1);
    CHECK(fixture.list("ann").blocked);
    fixture.ask(Purge{.user = id("new"), .block = 1h, .blocks_anyway = true});
    CHECK(fixture.list("new").blocked);
    const auto walked = fixture.ask<Purged>(Purge{.user = id("ben"), .ip = "::1", .block = 1h});
    CHECK(*walked.blocked == 0);
    CHECK_FALSE(fixture.list("ben").blocked);
  }
  SUBCASE("in steps, counts each user once") {
    Purge purge{.block = 1h};
    PurgeCursor cursor = fixture.registry.begin_purge();
    std::uint64_t count = 0;
    std::uint64_t blocked = 0;
    while (!cursor.done()) {
      const auto step = fixture.registry.purge_some(purge, cursor, 1, fixture.clock.now()).answer;
      count += std::get<Purged>(step).count;
      blocked = *std::get<Purged>(step).blocked;
    }
    CHECK(count == 4);
    CHECK(blocked == 3);
  }
}

TEST_CASE("Registry: replacing all others") {
  RegistryFixture fixture;
  fixture.fill("abc");
  Start start{id("abc"), id("s4")};
  start.replace_all = true;
  SUBCASE("ends them as replaced, with the start") {
    const Granted granted = fixture.ask<Granted>(start);
    CHECK(granted.active == 1);
    CHECK(granted.evicted == std::vector<std::string>{"s1", "s2", "s3"});
    CHECK(fixture.names("abc") == "s4");
    const Gone gone = fixture.ask<Gone>(Heartbeat{id("abc"), id("s2")});
    CHECK(gone.reason == EndReason::kEvicted);
    CHECK(gone.eviction->by.session == "s4");
  }
  SUBCASE("is nothing to a user who has none, nor to a renewal") {
    CHECK(fixture.ask<Granted>(Start{.user = id("new"), .session = id("s1"), .replace_all = true})
              .evicted.empty());
    start.session = id("s1");
    CHECK(fixture.ask<Granted>(start).renewed);
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
  SUBCASE("leaves those who may not be replaced by whoever was evicted") {
    start.details.device = "tv";
    fixture.ask<Granted>(start);
    Start back{id("abc"), id("s5")};
    back.details.device = "phone";
    back.replace_all = true;
    fixture.ask<Granted>(back);
    Start again = start;
    again.session = id("s6");
    const Granted beside = fixture.ask<Granted>(again);
    CHECK(beside.evicted.empty());
    CHECK(fixture.names("abc") == "s5 s6");
  }
  SUBCASE("is rolled back as one") {
    fixture.stores = false;
    fixture.ask<Granted>(start);
    fixture.registry.roll_back();
    CHECK(fixture.names("abc") == "s1 s2 s3");
  }
}
