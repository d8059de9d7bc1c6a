#include "service/event_log.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace concur;

namespace {

Event event_of(std::uint32_t active) {
  Event event;
  event.active = active;
  event.user = PackedText("abc");
  return event;
}

}  // namespace

TEST_CASE("EventLog") {
  EventLog log;

  SUBCASE("numbers events from 1") {
    CHECK(log.oldest() == log.next());
    for (std::uint32_t i = 1; i <= 3; ++i) log.publish(event_of(i), Instant());
    CHECK(log.oldest() == 1);
    CHECK(log.next() == 4);
    CHECK(log.at(1).active == 1);
    CHECK(log.at(3).active == 3);
  }
  SUBCASE("calls its listener with each, while there is one") {
    std::vector<std::uint32_t> heard;
    log.set_listener([&heard](const Event& event) { heard.push_back(event.active); });
    log.publish(event_of(4), Instant());
    log.publish(event_of(5), Instant());
    log.set_listener(nullptr);
    log.publish(event_of(6), Instant());
    CHECK(heard == std::vector<std::uint32_t>{4, 5});
  }
  SUBCASE("keeps the last ones, and overwrites the oldest") {
    for (std::uint32_t i = 1; i <= EventLog::kMaxHeld; ++i) log.publish(event_of(i), Instant());
    CHECK(log.oldest() == 1);
    log.publish(event_of(7), Instant());
    CHECK(log.oldest() == 2);
    CHECK(log.next() - log.oldest() == EventLog::kMaxHeld);
    CHECK(log.at(2).active == 2);
    CHECK(log.at(EventLog::kMaxHeld + 1).active == 7);
  }
  SUBCASE("wakes a reader of one user for that one's alone, and now and then besides") {
    int woken = 0;
    const EventLog::Reader reader(log, "xyz", false, [&woken] { ++woken; });
    log.publish(event_of(1), Instant());
    log.wake_readers();
    CHECK(woken == 0);
    Event event = event_of(1);
    event.user = PackedText("xyz");
    log.publish(std::move(event), Instant());
    log.wake_readers();
    CHECK(woken == 1);
    for (std::uint32_t i = 1; i <= EventLog::kMaxHeld; ++i) {
      log.publish(event_of(i), Instant());
      log.wake_readers();
    }
    CHECK(woken > 1);
    CHECK(woken < 10);
  }
  SUBCASE("wakes its readers once for all that is new") {
    int woken = 0;
    const EventLog::Reader reader(log, "", false, [&woken] { ++woken; });
    log.wake_readers();
    CHECK(woken == 0);
    log.publish(event_of(1), Instant());
    log.publish(event_of(2), Instant());
    log.wake_readers();
    log.wake_readers();
    CHECK(woken == 1);
  }
  SUBCASE("forgets a reader that ends") {
    int woken = 0;
    {
      const EventLog::Reader reader(log, "", true, [&woken] { ++woken; });
    }
    log.publish(event_of(1), Instant());
    log.wake_readers();
    CHECK(woken == 0);
  }
  SUBCASE("wants renewals while a reader does") {
    const EventLog::Reader plain(log, "", false, [] {});
    CHECK_FALSE(log.wants_renewals());
    {
      const EventLog::Reader one(log, "", true, [] {});
      const EventLog::Reader two(log, "", true, [] {});
      CHECK(log.wants_renewals());
    }
    CHECK_FALSE(log.wants_renewals());
  }
}
