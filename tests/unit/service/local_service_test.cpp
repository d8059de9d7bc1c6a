#include "service/local_service.hpp"

#include "support/captured_log.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <boost/asio/post.hpp>

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::CapturedLog;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace {

Id id(std::string_view text) { return *Id::parse("id", text); }

struct Fixture {
  explicit Fixture(const std::string& path)
      : service(runner, events, clock, log, Registry(Policy{}, 1),
                std::move(*Store::open(path, Durability::kFull, "boot")), path) {}

  // Submits all before any is answered, then runs the loop until each has its answer.
  std::vector<Result<Answer>> ask(const std::vector<Command>& commands) {
    std::vector<std::optional<Result<Answer>>> answers(commands.size());
    std::size_t open = commands.size();
    for (std::size_t i = 0; i < commands.size(); ++i) {
      service.submit(commands[i], clock.now(), [&answers, &open, i](Result<Answer> answer) {
        REQUIRE_FALSE(answers[i]);
        answers[i] = std::move(answer);
        --open;
      });
    }
    while (open > 0) loop.run_one();
    std::vector<Result<Answer>> all;
    for (auto& answer : answers) all.push_back(std::move(*answer));
    return all;
  }
  Result<Answer> ask(const Command& command) { return ask(std::vector{command})[0]; }

  // A session for each of so many users; their names.
  std::vector<std::string> fill(std::size_t users) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < users; ++i) names.push_back("u" + std::to_string(i));
    std::vector<Command> starts;
    for (const std::string& name : names) starts.emplace_back(Start{id(name), id("s1")});
    ask(starts);
    return names;
  }

  void finish() {
    bool done = false;
    service.finish([&] { done = true; });
    while (!done) loop.run_one();
  }

  boost::asio::io_context loop;
  LoopRunner runner{loop};
  FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  EventLog events{[this] { boost::asio::post(loop, [this] { events.wake_readers(); }); }};
  LocalService service;
};

DatabaseStatus database(const Service& service) {
  return std::get<DatabaseStatus>(service.status().storage);
}

bool granted(const Result<Answer>& answer) {
  return answer && std::holds_alternative<Granted>(*answer);
}

// How many active sessions are.
std::size_t stored(const std::string& path) {
  auto store = Store::open(path, Durability::kFull, "boot");
  std::size_t sessions = 0;
  const auto report = store->load(FakeClock().now(), [&sessions](const StoredRow& row) {
    sessions += std::holds_alternative<Row>(row) ? 1 : 0;
    return true;
  });
  CHECK(report.has_value());
  return sessions;
}

}  // namespace

TEST_CASE("LocalService") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  Fixture fixture(path);

  SUBCASE("an answer to a start means that it is stored") {
    CHECK(granted(fixture.ask(Start{id("abc"), id("s1")})));
    CHECK(stored(path) == 1);
    CHECK(fixture.ask(End{id("abc"), id("s1")}).has_value());
    CHECK(stored(path) == 0);
  }
  SUBCASE("of many racing starts in one commit exactly the limit is admitted") {
    std::vector<Command> race;
    std::vector<std::string> names;
    for (int i = 0; i < 200; ++i) names.push_back("s" + std::to_string(i));
    for (const std::string& name : names) race.emplace_back(Start{id("abc"), id(name)});
    std::size_t admitted = 0;
    for (const auto& answer : fixture.ask(race)) admitted += granted(answer) ? 1 : 0;
    CHECK(admitted == 3);
    CHECK(stored(path) == 3);
    CHECK(database(fixture.service).commits.durations.count() == 1);
  }
  SUBCASE("a heartbeat needs no commit") {
    fixture.ask(Start{id("abc"), id("s1")});
    const auto commits = database(fixture.service).commits.durations.count();
    CHECK(granted(fixture.ask(Heartbeat{id("abc"), id("s1")})));
    CHECK(database(fixture.service).commits.durations.count() == commits);
  }
  SUBCASE("a clean stop stores the leases as they are") {
    fixture.ask(Start{id("abc"), id("s1")});
    fixture.clock.tick(20s);
    fixture.ask(Heartbeat{id("abc"), id("s1")});
    fixture.finish();
    auto store = Store::open(path, Durability::kFull, "boot");
    static_cast<void>(store->load(fixture.clock.now(), [&](StoredRow stored) {
      const Row& row = std::get<Row>(stored);
      CHECK(row.last_seen == fixture.clock.now().instant);
      CHECK(row.expires == fixture.clock.now().instant + 90s);
      return true;
    }));
  }
  SUBCASE("a suspended machine expires nobody at once") {
    fixture.ask(Start{id("abc"), id("s1")});
    fixture.clock.sleep(1h);
    CHECK(granted(fixture.ask(Heartbeat{id("abc"), id("s1")})));
    fixture.clock.tick(90s);
    CHECK(std::holds_alternative<Gone>(*fixture.ask(Heartbeat{id("abc"), id("s1")})));
  }
  SUBCASE("what expires at once goes in many small commits, and soon all the same") {
    constexpr std::size_t kSessions = 20'000;
    fixture.fill(kSessions);
    const auto before = database(fixture.service).commits.durations.count();
    fixture.clock.tick(90s);
    // A tick takes a second, and would sweep 64 of them if it were not gone on after a commit.
    const auto deadline = std::chrono::steady_clock::now() + 100s;
    while (fixture.service.status().sessions > 0 && std::chrono::steady_clock::now() < deadline) {
      fixture.loop.run_one();
    }
    CHECK(fixture.service.status().sessions == 0);
    CHECK(database(fixture.service).commits.durations.count() - before >= kSessions / 256);
    fixture.finish();
    CHECK(stored(path) == 0);
  }
  SUBCASE("a purge of all goes in steps, and others are answered and start meanwhile") {
    constexpr std::size_t kSessions = 20'000;
    fixture.fill(kSessions);
    const auto before = database(fixture.service).commits.durations.count();
    const auto answers = fixture.ask(
        {Purge{}, Purge{{}, {}, true}, Start{id("late"), id("s1")}, Purge{id("u19999")}});
    CHECK(granted(answers[2]));
    // The user's own purge came first.
    CHECK(std::get<Purged>(*answers[3]).count == 1);
    CHECK(std::get<Purged>(*answers[0]).count == kSessions - 1);
    // It counts what was there when it was asked for and still is.
    CHECK(std::get<Purged>(*answers[1]).count == 0);
    CHECK(std::get<Purged>(*answers[1]).dry_run);
    CHECK(database(fixture.service).commits.durations.count() - before >= kSessions / 2048);
    CHECK(fixture.events.figures(fixture.clock.now().instant).purged == kSessions);
    CHECK(stored(path) == 1);
  }
  SUBCASE("however many others wait for a commit at any time") {
    constexpr std::size_t kSessions = 2'000;
    fixture.fill(kSessions);
    bool done = false;
    std::size_t started = 0;
    std::size_t open = 0;
    const std::function<void()> start_another = [&] {
      const std::string user = "n" + std::to_string(started++);
      ++open;
      fixture.service.submit(Start{id(user), id("s1")}, fixture.clock.now(),
                             [&](const Result<Answer>&) {
                               --open;
                               if (!done) start_another();
                             });
    };
    const auto deadline = std::chrono::steady_clock::now() + 100s;
    const auto in_time = [&] { return std::chrono::steady_clock::now() < deadline; };
    SUBCASE("a purge of all gets on") {
      fixture.service.submit(Purge{}, fixture.clock.now(), [&](const Result<Answer>& answer) {
        done = true;
        CHECK(std::get<Purged>(*answer).count == kSessions);
      });
      for (std::size_t i = 0; i < kSessions; ++i) start_another();
      while (!done && in_time()) fixture.loop.run_one();
      CHECK(done);
    }
    SUBCASE("what has expired is swept") {
      fixture.clock.tick(90s);
      for (std::size_t i = 0; i < kSessions; ++i) start_another();
      while (fixture.events.figures(fixture.clock.now().instant).expiries.total < kSessions &&
             in_time())
        fixture.loop.run_one();
      CHECK(fixture.events.figures(fixture.clock.now().instant).expiries.total == kSessions);
    }
    done = true;
    while (open > 0) fixture.loop.run_one();
  }
  SUBCASE("only so many purges of all wait for each other") {
    fixture.fill(2'000);
    const auto answers = fixture.ask(std::vector<Command>(20, Purge{{}, 1h}));
    std::size_t refused = 0;
    for (const auto& answer : answers) refused += answer.has_error() ? 1 : 0;
    CHECK(refused == 4);
    CHECK(fixture.ask(Purge{})->index() == answers[0]->index());
  }
  SUBCASE("a purge of all ends with the service, and what it got to stays purged") {
    fixture.fill(5'000);
    std::string refusal;
    fixture.service.submit(Purge{}, fixture.clock.now(), [&](const Result<Answer>& answer) {
      refusal = answer.has_error() ? answer.error().message : "answered";
    });
    while (fixture.events.figures(fixture.clock.now().instant).purged == 0) fixture.loop.run_one();
    fixture.finish();
    CHECK(refusal == "cannot purge further: the daemon is stopping");
    CHECK(stored(path) == fixture.service.status().sessions);
    CHECK(stored(path) < 5'000);
  }
  SUBCASE("a clean stop saves the leases in steps, each in a commit of its own") {
    const std::vector<std::string> names = fixture.fill(10'000);
    fixture.clock.tick(5s);
    std::vector<Command> beats;
    for (const std::string& name : names) beats.emplace_back(Heartbeat{id(name), id("s1")});
    fixture.ask(beats);
    const Histogram before = database(fixture.service).commits.changes;
    fixture.finish();
    const Histogram after = database(fixture.service).commits.changes;
    CHECK(after.count() - before.count() == 5);  // leases, and then what was recorded
    CHECK(after.sum() - before.sum() == 20'000);
    const Instant seen = fixture.clock.now().instant;
    std::size_t saved = 0;
    auto store = Store::open(path, Durability::kFull, "boot");
    const auto loaded = store->load(fixture.clock.now(), [&](const StoredRow& row) {
      const auto* session = std::get_if<Row>(&row);
      saved += session != nullptr && session->last_seen == seen ? 1 : 0;
      return true;
    });
    CHECK(loaded.has_value());
    CHECK(saved == 10'000);
  }
  SUBCASE("once it finishes it takes nothing more") {
    fixture.finish();
    CHECK(fixture.ask(Start{id("abc"), id("s1")}).has_error());
    std::vector<std::string> refusals;
    fixture.service.report(ReportQuery{}, [&](const Result<Report>& report) {
      refusals.push_back(report.has_error() ? report.error().message : "");
    });
    fixture.service.backup([&](const Result<Fd>& copy) {
      refusals.push_back(copy.has_error() ? copy.error().message : "");
    });
    CHECK(refusals == std::vector<std::string>{"cannot report: the daemon is stopping",
                                               "cannot back up: the daemon is stopping"});
  }
  SUBCASE("what happened is published once it is stored") {
    fixture.ask(Start{id("abc"), id("s1")});
    fixture.ask(End{id("abc"), id("s1")});
    const EventLog& events = fixture.events;
    REQUIRE(events.next() == 3);
    CHECK(events.at(1).kind == EventKind::kStarted);
    CHECK(events.at(2).kind == EventKind::kEnded);
    CHECK(stored(path) == 0);
  }
  SUBCASE("the status says what is there") {
    for (const char* session : {"s1", "s2", "s3", "s4", "s1"})
      fixture.ask(Start{id("abc"), id(session)});
    fixture.ask(End{id("abc"), id("s1")});
    const ServiceStatus status = fixture.service.status();
    CHECK(status.sessions == 2);
    CHECK(status.users == 1);
    CHECK(status.trouble.empty());
    CHECK(database(fixture.service).path == path);
    CHECK(database(fixture.service).bytes > 0);
    CHECK(database(fixture.service).commits.failed == 0);
  }
  SUBCASE("a lease that runs out and an eviction are counted") {
    Policy policy;
    policy.limit = 1;
    policy.on_limit = OnLimit::kEvictOldest;
    fixture.service.configure({policy});
    for (const char* session : {"s1", "s2"}) fixture.ask(Start{id("abc"), id(session)});
    fixture.clock.tick(90s);
    fixture.ask(Start{id("abc"), id("s3")});
    CHECK(fixture.events.figures(fixture.clock.now().instant).evictions.total == 1);
    CHECK(fixture.events.figures(fixture.clock.now().instant).expiries.total == 1);
  }
  SUBCASE("a report stores what was recorded in commits of a bounded size, and then is read") {
    constexpr std::size_t kUsers = 2 * Record::kPartsAtOnce + 1;
    fixture.fill(kUsers);
    const auto before = database(fixture.service).commits.durations.count();
    std::optional<std::size_t> users;
    ReportQuery query;
    query.back = 1h;
    fixture.service.report(query, [&users](const Result<Report>& report) {
      REQUIRE(report.has_value());
      users = report->reached.contains(1) ? report->reached.at(1) : 0;
    });
    while (!users) fixture.loop.run_one();
    CHECK(*users == kUsers);
    CHECK(database(fixture.service).commits.durations.count() - before == 3);
  }
  SUBCASE("a report is read at once where nothing was recorded since, however many are denied") {
    constexpr std::size_t kUsers = Record::kPartsAtOnce + 1;
    Policy policy;
    policy.limit = 1;
    fixture.service.configure({policy});
    fixture.fill(kUsers);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kUsers; ++i) names.push_back("u" + std::to_string(i));
    std::vector<Command> starts;
    for (const std::string& name : names) starts.emplace_back(Start{id(name), id("s2")});
    fixture.ask(starts);
    std::size_t read = 0;
    for (std::size_t reports = 1; reports <= 3; ++reports) {
      fixture.service.report({}, [&read](const Result<Report>& report) {
        CHECK(report.has_value());
        ++read;
      });
      while (read < reports) fixture.loop.run_one();
    }
  }
  SUBCASE("backups are made one at a time") {
    std::vector<std::string> answers;
    for (int i = 0; i < 2; ++i) {
      fixture.service.backup([&answers](const Result<Fd>& copy) {
        answers.push_back(copy ? "copied" : copy.error().message);
      });
    }
    while (answers.size() < 2) fixture.loop.run_one();
    CHECK(answers ==
          std::vector<std::string>{"cannot back up: another backup is being made", "copied"});
  }
  SUBCASE("a start that comes too soon after too many is logged, a few a minute") {
    const CapturedLog captured;
    fixture.log.set_level(LogLevel::kWarning);
    Policy policy;
    policy.start_rate = 1;
    fixture.service.configure({policy});
    std::vector<std::string> names;
    for (int i = 0; i < 20; ++i) names.push_back("s" + std::to_string(i));
    for (int i = 0; i < 20; ++i)
      fixture.ask(Start{id("abc"), id(names[static_cast<std::size_t>(i)])});
    CHECK(captured.lines(fixture.log).size() == 10);
  }
  SUBCASE("a fight over a device is logged once, and its user and device are named") {
    const CapturedLog captured;
    fixture.log.set_level(LogLevel::kWarning);
    for (int i = 0; i < 10; ++i) {
      Start start{id("abc"), id(i % 2 == 0 ? "s1" : "s2")};
      start.details.device = "tv";
      fixture.ask(start);
    }
    const auto lines = captured.lines(fixture.log);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("warning user \"abc\": several players use device \"tv\" and ") == 0);
  }
  SUBCASE("what comes alone is committed by the loop itself, with the next step of it") {
    bool answered = false;
    fixture.service.submit(Start{id("abc"), id("alone")}, fixture.clock.now(),
                           [&](const Result<Answer>&) { answered = true; });
    CHECK_FALSE(answered);
    fixture.loop.run_one();
    CHECK(answered);
    CHECK(database(fixture.service).waiting_changes == 0);
  }
  SUBCASE("a commit is measured and a slow one is logged, once a minute") {
    const CapturedLog captured;
    fixture.log.set_level(LogLevel::kWarning);
    for (int i = 0; i < 2; ++i) {
      fixture.loop.poll();  // what the commit before left to do
      int answered = 0;
      const std::string name = "slow" + std::to_string(i);
      for (const char* session : {"s1", "s2"}) {
        fixture.service.submit(Start{id(name), id(session)}, fixture.clock.now(),
                               [&](const Result<Answer>&) { ++answered; });
      }
      fixture.loop.run_one();  // hands both to the commit thread, for they are not alone
      CHECK(database(fixture.service).waiting_changes == 2);
      fixture.clock.tick(1500ms);
      while (answered < 2) fixture.loop.run_one();
    }
    CHECK(database(fixture.service).waiting_changes == 0);
    CHECK(database(fixture.service).commits.durations.sum() == 3'000'000'000);
    CHECK(database(fixture.service).commits.changes.sum() == 4);
    REQUIRE(captured.lines(fixture.log).size() == 1);
    CHECK(captured.lines(fixture.log)[0].find("warning a commit to ") == 0);
    CHECK(captured.lines(fixture.log)[0].find(" took 1.5 s (changes: 2), ") != std::string::npos);
  }
}

TEST_CASE("LocalService on a full disk") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  Fixture fixture(path);
  fixture.log.set_level(LogLevel::kError);
  for (const char* session : {"s1", "s2"}) fixture.ask(Start{id("abc"), id(session)});
  for (const char* session : {"s1", "s2", "s3"}) fixture.ask(Start{id("full"), id(session)});
  {
    const FullDisk full;
    const auto answers = fixture.ask({Start{id("abc"), id("s3")}, Start{id("abc"), id("s4")},
                                      End{id("abc"), id("s1")}, Heartbeat{id("abc"), id("s3")},
                                      Heartbeat{id("full"), id("s1")}, Start{id("full"), id("s4")},
                                      ListUser{id("full")}, Purge{}, Purge{{}, {}, true}});
    SUBCASE("starts, ends, and what was decided on top of them are unavailable") {
      for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(answers[i].has_error());
        CHECK(answers[i].error().kind == ErrorKind::kUnavailable);
      }
      CHECK_FALSE(fixture.service.trouble().empty());
      CHECK(database(fixture.service).commits.failed >= 1);
    }
    SUBCASE("a purge of all is unavailable, once, and purges nothing") {
      REQUIRE(answers[7].has_error());
      CHECK(answers[7].error().kind == ErrorKind::kUnavailable);
      CHECK(fixture.service.status().sessions == 5);
    }
    SUBCASE("heartbeats, denials and lists of what is stored go on") {
      CHECK(granted(answers[4]));
      CHECK(std::holds_alternative<Denied>(*answers[5]));
      CHECK(std::get<UserSessions>(*answers[6]).active == 3);
    }
    SUBCASE("nothing of what failed has happened") {
      const auto list = std::get<UserSessions>(*fixture.ask(ListUser{id("abc")}));
      CHECK(list.active == 2);
      CHECK(list.sessions[0].session == "s1");
    }
  }
  CHECK(granted(fixture.ask(Start{id("abc"), id("s3")})));
  CHECK(fixture.service.trouble().empty());
  CHECK(stored(path) == 6);
}
