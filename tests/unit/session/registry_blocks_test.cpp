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

SetBlock block(std::string_view user, std::optional<Millis> length = {}, std::string message = {}) {
  return {id(user), length, std::move(message)};
}

std::vector<Event> events_of(Registry& registry) {
  std::vector<Event> events;
  registry.take_events([&events](Event&& each) { events.push_back(std::move(each)); });
  return events;
}

std::string blocked_users(RegistryFixture& fixture) {
  std::string all;
  for (const UserBlock& each : fixture.ask<BlockPage>(ListBlocks{}).blocks) all += each.user + " ";
  return all;
}

}  // namespace

TEST_CASE("Registry: a user who is kept out") {
  RegistryFixture fixture;
  SUBCASE("starts nothing, and is told why and for how long") {
    const auto shown = fixture.ask<UserBlock>(block("abc", 10min, "Please call us."));
    CHECK(shown.blocked);
    CHECK(*shown.until - shown.since == 10min);
    fixture.clock.tick(4min);
    const Blocked refused = fixture.ask<Blocked>(Start{id("abc"), id("s1")});
    CHECK(refused.message == "Please call us.");
    CHECK(*refused.retry_after == 6min);
    CHECK(refused.active == 0);
    CHECK(refused.limit == 3);
    fixture.start("xyz", "s1");
  }
  SUBCASE("is let in at the millisecond when it is over, and not before") {
    fixture.ask(block("abc", 10min));
    fixture.clock.tick(10min - 1ms);
    CHECK(*fixture.ask<Blocked>(Start{id("abc"), id("s1")}).retry_after == 1ms);
    fixture.clock.tick(1ms);
    CHECK_FALSE(fixture.ask<UserBlock>(ShowBlock{id("abc")}).blocked);
    CHECK(blocked_users(fixture).empty());
    fixture.start("abc", "s1");
  }
  SUBCASE("has no moment to be told where there is no end to it") {
    fixture.ask(block("abc"));
    CHECK_FALSE(fixture.ask<UserBlock>(ShowBlock{id("abc")}).until.has_value());
    fixture.clock.tick(24h * 4000);
    CHECK_FALSE(fixture.ask<Blocked>(Start{id("abc"), id("s1")}).retry_after.has_value());
  }
  SUBCASE("goes on with what is active, by heartbeats and by starts") {
    fixture.start("abc", "s1");
    fixture.ask(block("abc"));
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).renewed);
    CHECK(fixture.start("abc", "s1").renewed);
    CHECK(fixture.ask<Blocked>(Start{id("abc"), id("s2")}).active == 1);
    CHECK(fixture.list("abc").blocked);
    CHECK_FALSE(fixture.list("xyz").blocked);
  }
  SUBCASE("is kept out in observe mode, and is told so rather than that a session is gone") {
    Rules observing;
    observing.mode = Mode::kObserve;
    fixture.set_policy(observing);
    fixture.start("abc", "s1");
    fixture.ask(Purge{.user = id("abc"), .block = 1h, .blocks_anyway = true});
    Start again{id("abc"), id("s1")};
    again.never_revives = true;
    fixture.ask<Blocked>(again);
  }
  SUBCASE("is let in again, and that twice is no error") {
    fixture.ask(block("abc"));
    CHECK_FALSE(fixture.ask<UserBlock>(Unblock{id("abc")}).blocked);
    CHECK_FALSE(fixture.ask<UserBlock>(Unblock{id("abc")}).blocked);
    CHECK_FALSE(fixture.ask<UserBlock>(Unblock{id("nobody")}).blocked);
    fixture.start("abc", "s1");
  }
  SUBCASE("is kept out as was said last") {
    fixture.ask(block("abc", 1h, "One hour."));
    fixture.clock.tick(30min);
    fixture.ask(block("abc", 10min, "Ten minutes."));
    const Blocked refused = fixture.ask<Blocked>(Start{id("abc"), id("s1")});
    CHECK(refused.message == "Ten minutes.");
    CHECK(*refused.retry_after == 10min);
    fixture.clock.tick(10min);
    fixture.start("abc", "s1");
  }
  SUBCASE("is no denial in the record of who shares, nor one to those who watch") {
    fixture.ask(block("abc"));
    fixture.ask(Start{id("abc"), id("s1")});
    fixture.registry.flush_usage(10, fixture.clock.now());
    for (const Change& each : fixture.store()) {
      CHECK_FALSE(std::holds_alternative<AddUsage>(each));
    }
    for (const Event& each : events_of(fixture.registry)) CHECK(each.kind != EventKind::kDenied);
  }
}

TEST_CASE("Registry: blocks in memory and in the store") {
  RegistryFixture fixture;
  SUBCASE("are listed in pages") {
    for (int i = 0; i < 5; ++i) fixture.ask(block("u" + std::to_string(i)));
    fixture.start("free", "s1");
    std::size_t found = 0;
    Cursor next;
    do {
      const auto page = fixture.ask<BlockPage>(ListBlocks{next, 2});
      CHECK(page.blocks.size() <= 2);
      found += page.blocks.size();
      next = page.next;
    } while (!next.empty());
    CHECK(found == 5);
  }
  SUBCASE("are told of, with what is said of them") {
    fixture.ask(block("abc", 1h, "Please call us."));
    fixture.ask(Unblock{id("abc")});
    const auto events = events_of(fixture.registry);
    REQUIRE(events.size() == 2);
    CHECK(events[0].kind == EventKind::kBlocked);
    CHECK(events[0].user.str() == "abc");
    CHECK(events[0].more->message == "Please call us.");
    CHECK(*events[0].more->until == events[0].at + 1h);
    CHECK(events[1].kind == EventKind::kUnblocked);
  }
  SUBCASE("that are over are told of no more, and leave nothing stored when they are lifted") {
    fixture.ask(block("abc", 1h));
    fixture.clock.tick(1h);
    fixture.registry.take_events([](Event&&) {});
    fixture.stores = false;
    fixture.ask(Unblock{id("abc")});
    CHECK(events_of(fixture.registry).empty());
    const auto changes = fixture.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<DropBlock>(changes[0]).user == "abc");
  }
  SUBCASE("are stored before they are answered, and taken away when they are over") {
    fixture.stores = false;
    CHECK(fixture.waits_for(block("abc", 1h)) > 0);
    auto changes = fixture.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<PutBlock>(changes[0]).row.user == "abc");
    fixture.registry.sweep(10, 1s, fixture.clock.now());
    CHECK(fixture.store().empty());
    fixture.clock.tick(1h);
    fixture.registry.sweep(10, 1s, fixture.clock.now());
    changes = fixture.store();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<DropBlock>(changes[0]).user == "abc");
    CHECK(fixture.registry.blocks() == 0);
  }
  SUBCASE("are as before where they could not be stored") {
    fixture.ask(block("abc", 1h, "Before."));
    fixture.stores = false;
    fixture.ask(block("abc", 2h, "After."));
    fixture.ask(block("xyz", 2h, "New."));
    fixture.registry.roll_back();
    CHECK(fixture.ask<UserBlock>(ShowBlock{id("abc")}).message == "Before.");
    CHECK_FALSE(fixture.ask<UserBlock>(ShowBlock{id("xyz")}).blocked);
    fixture.ask(Unblock{id("abc")});
    fixture.registry.roll_back();
    CHECK(fixture.ask<Blocked>(Start{id("abc"), id("s1")}).message == "Before.");
  }
  SUBCASE("come back after a restart, for no longer than they were for") {
    const Now now = fixture.clock.now();
    CHECK(fixture.registry.restore(BlockRow{"abc", {now.instant - 1min, 1h, "Back."}}, now));
    CHECK(fixture.registry.restore(BlockRow{"later", {now.instant + 5h, 1h, ""}}, now));
    CHECK_FALSE(fixture.registry.restore(BlockRow{"abc", {now.instant, {}, ""}}, now));
    CHECK(*fixture.ask<Blocked>(Start{id("abc"), id("s1")}).retry_after == 59min);
    CHECK(*fixture.ask<Blocked>(Start{id("later"), id("s1")}).retry_after == 1h);
  }
  SUBCASE("of the same users, again and again, take no memory for those before") {
    for (int i = 0; i < 10'000; ++i) {
      fixture.ask(block("abc", 1h));
      fixture.clock.tick(1ms);
    }
    fixture.clock.tick(1h);
    fixture.registry.sweep(1, 1s, fixture.clock.now());
    CHECK(fixture.registry.blocks() == 0);
  }
}

TEST_CASE("Registry: what an operator has to say") {
  RegistryFixture fixture;
  fixture.fill("abc");
  SUBCASE("is told with why a session is gone") {
    fixture.ask(End{id("abc"), id("s1"), {}, "Good night."});
    fixture.ask(Purge{.user = id("abc"), .message = "Please call us."});
    const Gone ended = fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")});
    CHECK(ended.reason == EndReason::kEnded);
    CHECK(ended.message == "Good night.");
    const Gone purged = fixture.ask<Gone>(Heartbeat{id("abc"), id("s2")});
    CHECK(purged.reason == EndReason::kPurged);
    CHECK(purged.message == "Please call us.");
    CHECK(fixture.ask<Ended>(End{id("abc"), id("s3")}).message == "Please call us.");
    Start again{id("abc"), id("s2")};
    again.never_revives = true;
    CHECK(fixture.ask<Gone>(again).message == "Please call us.");
  }
  SUBCASE("is stored, where somebody ended the session, and forgotten with it") {
    fixture.store();
    fixture.ask(End{id("abc"), id("s1"), {}, "Good night."});
    fixture.ask(End{id("abc"), id("s2")});
    Registry restarted(test::unthrottled(), 2);
    std::vector<Change> all;
    CopyCursor cursor;
    while (fixture.registry.copy_some(cursor, 1000, all)) {
    }
    for (Change& each : all) {
      auto* gone = std::get_if<PutGone>(&each);
      if (gone != nullptr) restarted.restore(std::move(gone->row), fixture.clock.now());
    }
    const auto ask = [&](std::string_view session) {
      return restarted.apply(Heartbeat{id("abc"), id(session)}, fixture.clock.now()).answer;
    };
    CHECK(std::get<Gone>(ask("s1")).message == "Good night.");
    CHECK(std::holds_alternative<Unknown>(ask("s2")));
    fixture.clock.tick(1h);
    fixture.registry.sweep(100, 1s, fixture.clock.now());
    std::size_t dropped = 0;
    for (const Change& each : fixture.store()) dropped += std::holds_alternative<DropGone>(each);
    CHECK(dropped == 1);
  }
  SUBCASE("is no longer known where the session starts again, or the end was not stored") {
    fixture.ask(End{id("abc"), id("s1"), {}, "Good night."});
    fixture.start("abc", "s1");
    fixture.ask(End{id("abc"), id("s1")});
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s1")}).message.empty());
    fixture.stores = false;
    fixture.ask(End{id("abc"), id("s2"), {}, "Good night."});
    fixture.registry.roll_back();
    fixture.stores = true;
    fixture.ask(End{id("abc"), id("s2")});
    CHECK(fixture.ask<Gone>(Heartbeat{id("abc"), id("s2")}).message.empty());
  }
  SUBCASE("words a denial, and no other's") {
    Policy policy = test::unthrottled();
    policy.denial = "{attempted} are too many for {user}.";
    fixture.registry.set_policy(policy, fixture.clock.now());
    CHECK(fixture.denied("abc", "s4").message == "4 are too many for abc.");
    fixture.registry.set_policy(test::unthrottled(), fixture.clock.now());
    CHECK(fixture.denied("abc", "s4").message.empty());
  }
}
