#include "api/event_stream.hpp"

#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

using namespace concur;
using concur::test::FakeClock;

namespace {

using State = BodySource::State;

Event event_of(EventKind kind, std::string_view user, std::string_view session) {
  Event event;
  event.kind = kind;
  event.user = PackedText(user);
  event.session = PackedText(session);
  event.active = 1;
  event.limit = 3;
  event.at = FakeClock().now().wall();
  return event;
}

struct Watcher {
  EventLog log{[] {}, "b1"};
  FakeClock clock;

  void happen(EventKind kind, std::string_view user, std::string_view session = "s1") {
    log.publish(event_of(kind, user, session), Instant());
    log.wake_readers();
  }
  EventStream watch(Watch watch) { return {log, clock, std::move(watch)}; }
};

std::string line_of(const Event& event) {
  std::string out;
  append_event(out, EventLog([] {}, "b1"), 17, event);
  const std::string until_event = out.substr(0, out.find("\"event\""));
  CHECK(until_event.starts_with("{\"boot\":\"b1\",\"seq\":17,\"at\":\""));
  return out.substr(until_event.size());
}

std::string read(EventStream& stream, State expected) {
  std::string out;
  CHECK(stream.read(out, 65'536) == expected);
  return out;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("append_event") {
  SUBCASE("tells a start with what the client told") {
    Event event = event_of(EventKind::kStarted, "abc", "xyz");
    event.more = std::make_unique<EventMore>();
    event.more->details = {"tv", "192.0.2.1", "film", {}};
    CHECK(line_of(event) ==
          R"("event":"started","user":"abc","session":"xyz","concurrentSessions":1,"limit":3,)"
          R"("device":"tv","ip":"192.0.2.1","content":"film"})"
          "\n");
  }
  SUBCASE("tells of a start that waits, and what became of it") {
    Event event = event_of(EventKind::kWaiting, "abc", "xyz");
    CHECK(line_of(event) ==
          R"("event":"waiting","user":"abc","session":"xyz","concurrentSessions":1,"limit":3})"
          "\n");
    event.more = std::make_unique<EventMore>();
    event.more->waited = std::chrono::milliseconds(2500);
    for (const auto& [kind, name] :
         {std::pair(EventKind::kStarted, "started"), std::pair(EventKind::kDenied, "denied"),
          std::pair(EventKind::kLeft, "left")}) {
      event.kind = kind;
      CHECK(line_of(event) == "\"event\":\"" + std::string(name) +
                                  R"(","user":"abc","session":"xyz","concurrentSessions":1,)"
                                  R"("limit":3,"waited":2.5})"
                                  "\n");
    }
  }
  SUBCASE("tells who took an evicted session's place") {
    Event event = event_of(EventKind::kEvicted, "abc", "xyz");
    event.more = std::make_unique<EventMore>();
    event.more->evicted_by = {"new", {}};
    CHECK(line_of(event) ==
          R"("event":"evicted","user":"abc","session":"xyz","concurrentSessions":1,)"
          R"("evictedBy":{"session":"new"}})"
          "\n");
  }
  SUBCASE("tells which box of a fleet it is of") {
    EventLog log([] {}, "b1");
    log.set_box("edge \"7\"");
    std::string out;
    append_event(out, log, 17, event_of(EventKind::kEnded, "abc", "xyz"));
    CHECK(out.find(R"("event":"ended","box":"edge \"7\"","user":"abc")") != std::string::npos);
  }
  SUBCASE("tells that a denial was but observed") {
    Event event = event_of(EventKind::kDenied, "abc", "xyz");
    event.would_deny = true;
    CHECK(line_of(event) ==
          R"("event":"denied","user":"abc","session":"xyz","concurrentSessions":1,"limit":3,)"
          R"("wouldDeny":true})"
          "\n");
  }
  SUBCASE("tells limits of a user, of a plan and of all, and a plan's removal") {
    CHECK(line_of(event_of(EventKind::kLimitChanged, "abc", "")) ==
          "\"event\":\"limit_changed\",\"user\":\"abc\",\"limit\":3}\n");
    CHECK(line_of(event_of(EventKind::kLimitChanged, "", "")) ==
          "\"event\":\"limit_changed\",\"limit\":3}\n");
    Event event = event_of(EventKind::kLimitChanged, "", "");
    event.more = std::make_unique<EventMore>();
    event.more->plan = "premium";
    event.removed = true;
    CHECK(line_of(event) == "\"event\":\"limit_changed\",\"plan\":\"premium\",\"removed\":true}\n");
  }
}

TEST_CASE("EventStream") {
  Watcher watcher;

  SUBCASE("begins with what happens from now on") {
    watcher.happen(EventKind::kStarted, "abc");
    EventStream stream = watcher.watch({});
    CHECK(read(stream, State::kWaiting).empty());
    watcher.happen(EventKind::kEnded, "abc");
    const std::string out = read(stream, State::kWaiting);
    CHECK(out.starts_with("{\"boot\":\"b1\",\"seq\":2,"));
    CHECK(lines_in(out) == 1);
  }
  SUBCASE("wakes its reader only where it was told to wait") {
    EventStream stream = watcher.watch({});
    int woken = 0;
    stream.set_waker([&woken] { ++woken; });
    watcher.happen(EventKind::kStarted, "abc");
    CHECK(woken == 0);
    read(stream, State::kWaiting);
    watcher.happen(EventKind::kEnded, "abc");
    watcher.happen(EventKind::kStarted, "abc");
    CHECK(woken == 1);
  }
  SUBCASE("filters by user, and renewals where they are not asked for") {
    EventStream one = watcher.watch({.user = "abc"});
    EventStream all = watcher.watch({.user = "abc", .renewed = true});
    watcher.happen(EventKind::kStarted, "other");
    watcher.happen(EventKind::kStarted, "abc");
    watcher.happen(EventKind::kRenewed, "abc");
    CHECK(lines_in(read(one, State::kWaiting)) == 1);
    CHECK(lines_in(read(all, State::kWaiting)) == 2);
  }
  SUBCASE("gives no more at once than there is room for") {
    EventStream stream = watcher.watch({});
    for (int i = 0; i < 100; ++i) watcher.happen(EventKind::kStarted, "abc");
    std::string out;
    CHECK(stream.read(out, 1000) == State::kMore);
    CHECK(out.size() < 1200);
    CHECK(lines_in(out) + lines_in(read(stream, State::kWaiting)) == 100);
  }
  SUBCASE("goes on behind a number that is still kept") {
    for (int i = 0; i < 5; ++i) watcher.happen(EventKind::kStarted, "abc");
    EventStream two = watcher.watch({.since = 3});
    CHECK(read(two, State::kWaiting).starts_with("{\"boot\":\"b1\",\"seq\":4,"));
    EventStream none = watcher.watch({.since = 5});
    CHECK(read(none, State::kWaiting).empty());
  }
  SUBCASE("tells first how many it misses of what was asked for") {
    for (std::uint64_t i = 0; i < EventLog::kMaxHeld + 10; ++i) {
      watcher.happen(EventKind::kStarted, "abc");
    }
    EventStream stream = watcher.watch({.since = 4});
    const std::string out = read(stream, State::kMore);
    const std::string first = out.substr(0, out.find('\n'));
    CHECK(first.starts_with("{\"boot\":\"b1\",\"seq\":10,"));
    CHECK(first.ends_with("\"event\":\"dropped\",\"missed\":6}"));
    CHECK(out.substr(first.size() + 1).starts_with("{\"boot\":\"b1\",\"seq\":11,"));
  }
  SUBCASE("takes a number that is to come for one of an earlier life") {
    watcher.happen(EventKind::kStarted, "abc");
    EventStream stream = watcher.watch({.since = 2});
    const std::string out = read(stream, State::kWaiting);
    CHECK(out.find("\"event\":\"dropped\",\"missed\":0,\"restarted\":true}\n{\"boot\":\"b1\","
                   "\"seq\":1,") != std::string::npos);
  }
  SUBCASE("takes a number of another boot for one of an earlier life, however small") {
    watcher.happen(EventKind::kStarted, "abc");
    watcher.happen(EventKind::kEnded, "abc");
    auto other = watcher.watch({.since = 1, .boot = "b0"});
    const std::string out = read(other, State::kWaiting);
    CHECK(out.find("\"event\":\"dropped\",\"missed\":0,\"restarted\":true}\n") !=
          std::string::npos);
    CHECK(lines_in(out) == 3);
    auto same = watcher.watch({.since = 1, .boot = "b1"});
    CHECK(lines_in(read(same, State::kWaiting)) == 1);
  }
  SUBCASE("ends with a last line where it was overtaken") {
    EventStream stream = watcher.watch({});
    watcher.happen(EventKind::kStarted, "abc");
    read(stream, State::kWaiting);
    for (std::uint64_t i = 0; i < EventLog::kMaxHeld + 3; ++i) {
      watcher.happen(EventKind::kStarted, "abc");
    }
    const std::string out = read(stream, State::kEnd);
    CHECK(lines_in(out) == 1);
    CHECK(out.starts_with("{\"boot\":\"b1\",\"seq\":4,"));
    CHECK(out.find("\"event\":\"dropped\",\"missed\":3,\"message\":\"cannot go on: ") !=
          std::string::npos);
    CHECK(read(stream, State::kEnd).empty());
  }
  SUBCASE("ends when the daemon stops, behind what is there") {
    EventStream stream = watcher.watch({});
    int woken = 0;
    stream.set_waker([&woken] { ++woken; });
    read(stream, State::kWaiting);
    stream.drain();
    CHECK(woken == 1);
    watcher.happen(EventKind::kStarted, "abc");
    CHECK(lines_in(read(stream, State::kEnd)) == 1);
  }
  SUBCASE("at the end of what has happened, where its client sends no more") {
    auto stream = watcher.watch({});
    watcher.happen(EventKind::kStarted, "abc");
    stream.on_client_end();
    CHECK(lines_in(read(stream, State::kEnd)) == 1);
  }
}

TEST_CASE("EventStream shows the kinds that are asked for alone, and what is lost") {
  Watcher watcher;
  Watch watch;
  watch.since = 5;
  watch.kinds = *parse_event_kinds("denied,evicted");
  auto stream = watcher.watch(watch);
  for (const EventKind kind :
       {EventKind::kStarted, EventKind::kDenied, EventKind::kEnded, EventKind::kEvicted}) {
    watcher.happen(kind, "ann");
  }
  std::string out;
  CHECK(stream.read(out, 100'000) == State::kWaiting);
  CHECK(std::ranges::count(out, '\n') == 3);
  CHECK(out.find("\"dropped\"") < out.find("\"denied\""));
  CHECK(out.find("\"denied\"") < out.find("\"evicted\""));
}

TEST_CASE("parse_event_kinds reads names of events") {
  CHECK(*parse_event_kinds("denied") == bit_of(EventKind::kDenied));
  CHECK(*parse_event_kinds("left,started,left") ==
        (bit_of(EventKind::kLeft) | bit_of(EventKind::kStarted)));
  for (const char* none : {"", "denied,", ",denied", "denied evicted", "dropped", "Denied"}) {
    CAPTURE(none);
    CHECK_FALSE(parse_event_kinds(none).has_value());
  }
}
