#include "service/local_service.hpp"

#include "support/captured_log.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::CapturedLog;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace {

Id id(std::string_view text) { return *Id::parse("id", text); }

struct House {
  explicit House(const std::string& path)
      : service(runner, clock, log, Registry(Policy{}, 1),
                std::move(*Store::open(path, Durability::kFull, "boot")), path) {}

  // Submits all before any is answered, then runs the loop until each has its answer.
  std::vector<Result<Answer>> ask(const std::vector<Command>& commands) {
    std::vector<std::optional<Result<Answer>>> answers(commands.size());
    std::size_t open = commands.size();
    for (std::size_t i = 0; i < commands.size(); ++i) {
      service.submit(commands[i], [&answers, &open, i](Result<Answer> answer) {
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

  // A session for each of so many users.
  void fill(std::size_t users) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < users; ++i) names.push_back("u" + std::to_string(i));
    std::vector<Command> starts;
    for (const std::string& name : names) starts.emplace_back(Start{id(name), id("s1")});
    ask(starts);
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
  LocalService service;
};

bool granted(const Result<Answer>& answer) {
  return answer && std::holds_alternative<Granted>(*answer);
}

std::size_t stored(const std::string& path) {
  auto store = Store::open(path, Durability::kFull, "boot");
  return static_cast<std::size_t>(
      store->load(FakeClock().now(), [](const StoredRow&) { return true; })->rows);
}

// Tells which thread lets go of it.
class LetGo {
 public:
  explicit LetGo(std::vector<std::thread::id>& by) : by_(by) {}
  LetGo(const LetGo&) = delete;
  LetGo& operator=(const LetGo&) = delete;
  ~LetGo() { by_.push_back(std::this_thread::get_id()); }

 private:
  std::vector<std::thread::id>& by_;
};

}  // namespace

TEST_CASE("LocalService") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  House house(path);

  SUBCASE("an answer to a start means that it is stored") {
    CHECK(granted(house.ask(Start{id("abc"), id("s1")})));
    CHECK(stored(path) == 1);
    CHECK(house.ask(End{id("abc"), id("s1")}).has_value());
    CHECK(stored(path) == 0);
  }
  SUBCASE("of many racing starts in one commit exactly the limit is admitted") {
    std::vector<Command> race;
    std::vector<std::string> names;
    for (int i = 0; i < 200; ++i) names.push_back("s" + std::to_string(i));
    for (const std::string& name : names) race.emplace_back(Start{id("abc"), id(name)});
    std::size_t admitted = 0;
    for (const auto& answer : house.ask(race)) admitted += granted(answer) ? 1 : 0;
    CHECK(admitted == 3);
    CHECK(stored(path) == 3);
    CHECK(house.service.status().commits == 1);
  }
  SUBCASE("a heartbeat needs no commit") {
    house.ask(Start{id("abc"), id("s1")});
    const auto commits = house.service.status().commits;
    CHECK(granted(house.ask(Heartbeat{id("abc"), id("s1")})));
    CHECK(house.service.status().commits == commits);
  }
  SUBCASE("a clean stop stores the leases as they are") {
    house.ask(Start{id("abc"), id("s1")});
    house.clock.tick(20s);
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.finish();
    auto store = Store::open(path, Durability::kFull, "boot");
    static_cast<void>(store->load(house.clock.now(), [&](StoredRow stored) {
      const Row& row = std::get<Row>(stored);
      CHECK(row.last_seen == house.clock.now().instant);
      CHECK(row.expires == house.clock.now().instant + 90s);
      return true;
    }));
  }
  SUBCASE("a suspended machine expires nobody at once") {
    house.ask(Start{id("abc"), id("s1")});
    house.clock.sleep(1h);
    CHECK(granted(house.ask(Heartbeat{id("abc"), id("s1")})));
    house.clock.tick(90s);
    CHECK(std::holds_alternative<Gone>(*house.ask(Heartbeat{id("abc"), id("s1")})));
  }
  SUBCASE("what expires at once goes in many small commits, and soon all the same") {
    constexpr std::size_t kSessions = 20'000;
    house.fill(kSessions);
    const auto before = house.service.status().commits;
    house.clock.tick(90s);
    // A tick takes a second, and would sweep 64 of them if it were not gone on after a commit.
    const auto deadline = std::chrono::steady_clock::now() + 100s;
    while (house.service.status().sessions > 0 && std::chrono::steady_clock::now() < deadline) {
      house.loop.run_one();
    }
    CHECK(house.service.status().sessions == 0);
    CHECK(house.service.status().commits - before >= kSessions / 256);
    house.finish();
    CHECK(stored(path) == 0);
  }
  SUBCASE("a purge of all goes in steps, and others are answered and start meanwhile") {
    constexpr std::size_t kSessions = 20'000;
    house.fill(kSessions);
    const auto before = house.service.status().commits;
    const auto answers =
        house.ask({Purge{}, Purge{{}, {}, true}, Start{id("late"), id("s1")}, Purge{id("u19999")}});
    CHECK(granted(answers[2]));
    // The user's own purge came first.
    CHECK(std::get<Purged>(*answers[3]).count == 1);
    CHECK(std::get<Purged>(*answers[0]).count == kSessions - 1);
    // It counts what was there when it was asked for and still is.
    CHECK(std::get<Purged>(*answers[1]).count == 0);
    CHECK(std::get<Purged>(*answers[1]).dry_run);
    CHECK(house.service.status().commits - before >= kSessions / 2048);
    CHECK(house.service.status().counts.purged == kSessions);
    CHECK(stored(path) == 1);
  }
  SUBCASE("however many others wait for the journal at any time") {
    constexpr std::size_t kSessions = 2'000;
    house.fill(kSessions);
    bool done = false;
    std::size_t started = 0;
    std::size_t open = 0;
    const std::function<void()> start_another = [&] {
      const std::string user = "n" + std::to_string(started++);
      ++open;
      house.service.submit(Start{id(user), id("s1")}, [&](const Result<Answer>&) {
        --open;
        if (!done) start_another();
      });
    };
    const auto deadline = std::chrono::steady_clock::now() + 100s;
    const auto in_time = [&] { return std::chrono::steady_clock::now() < deadline; };
    SUBCASE("a purge of all gets on") {
      house.service.submit(Purge{}, [&](const Result<Answer>& answer) {
        done = true;
        CHECK(std::get<Purged>(*answer).count == kSessions);
      });
      for (std::size_t i = 0; i < kSessions; ++i) start_another();
      while (!done && in_time()) house.loop.run_one();
      CHECK(done);
    }
    SUBCASE("what has expired is swept") {
      house.clock.tick(90s);
      for (std::size_t i = 0; i < kSessions; ++i) start_another();
      while (house.service.status().expiries.total < kSessions && in_time()) house.loop.run_one();
      CHECK(house.service.status().expiries.total == kSessions);
    }
    done = true;
    while (open > 0) house.loop.run_one();
  }
  SUBCASE("only so many purges of all wait for each other") {
    house.fill(2'000);
    const auto answers = house.ask(std::vector<Command>(20, Purge{{}, 1h}));
    std::size_t refused = 0;
    for (const auto& answer : answers) refused += answer.has_error() ? 1 : 0;
    CHECK(refused == 4);
    CHECK(house.ask(Purge{})->index() == answers[0]->index());
  }
  SUBCASE("a purge of all ends with the service, and what it got to stays purged") {
    house.fill(5'000);
    std::string refusal;
    house.service.submit(Purge{}, [&](const Result<Answer>& answer) {
      refusal = answer.has_error() ? answer.error().message : "answered";
    });
    while (house.service.status().counts.purged == 0) house.loop.run_one();
    house.finish();
    CHECK(refusal == "cannot purge further: the daemon is stopping");
    CHECK(stored(path) == house.service.status().sessions);
    CHECK(stored(path) < 5'000);
  }
  SUBCASE("a clean stop saves the leases in steps, each in a commit of its own") {
    house.fill(10'000);
    house.clock.tick(5s);
    std::vector<std::string> names;
    for (int i = 0; i < 10'000; ++i) names.push_back("u" + std::to_string(i));
    std::vector<Command> beats;
    for (const std::string& name : names) beats.emplace_back(Heartbeat{id(name), id("s1")});
    house.ask(beats);
    const Histogram before = house.service.status().counts.commit_changes;
    house.finish();
    const Histogram after = house.service.status().counts.commit_changes;
    CHECK(after.count() - before.count() == 5);  // leases, and then what was recorded
    CHECK(after.sum() - before.sum() == 20'000);
    const Instant seen = house.clock.now().instant;
    std::size_t saved = 0;
    auto store = Store::open(path, Durability::kFull, "boot");
    const auto loaded = store->load(house.clock.now(), [&](const StoredRow& row) {
      const auto* session = std::get_if<Row>(&row);
      saved += session != nullptr && session->last_seen == seen ? 1 : 0;
      return true;
    });
    CHECK(loaded.has_value());
    CHECK(saved == 10'000);
  }
  SUBCASE("after it was told to finish it takes nothing more") {
    house.finish();
    CHECK(house.ask(Start{id("abc"), id("s1")}).has_error());
    std::vector<std::string> refusals;
    house.service.report(ReportQuery{}, [&](const Result<Report>& report) {
      refusals.push_back(report.has_error() ? report.error().message : "");
    });
    house.service.backup([&](const Result<Fd>& copy) {
      refusals.push_back(copy.has_error() ? copy.error().message : "");
    });
    CHECK(refusals == std::vector<std::string>{"cannot report: the daemon is stopping",
                                               "cannot back up: the daemon is stopping"});
  }
  SUBCASE("what happened is published once it is stored") {
    house.ask(Start{id("abc"), id("s1")});
    house.ask(End{id("abc"), id("s1")});
    const EventLog& events = house.service.events();
    REQUIRE(events.next() == 3);
    CHECK(events.at(1).kind == EventKind::kStarted);
    CHECK(events.at(2).kind == EventKind::kEnded);
    CHECK(stored(path) == 0);
  }
  SUBCASE("the status counts") {
    for (const char* session : {"s1", "s2", "s3", "s4", "s1"})
      house.ask(Start{id("abc"), id(session)});
    house.ask(End{id("abc"), id("s1")});
    const ServiceStatus status = house.service.status();
    CHECK(status.sessions == 2);
    CHECK(status.users == 1);
    CHECK(status.starts.total == 3);
    CHECK(status.denials.total == 1);
    CHECK(status.heartbeats.total == 1);
    CHECK(status.ends.total == 1);
    CHECK(status.trouble.empty());
    CHECK(status.database_bytes > 0);
  }
  SUBCASE("each command is counted under what it was answered") {
    for (const char* session : {"s1", "s2", "s3", "s4", "s1"})
      house.ask(Start{id("abc"), id(session)});
    for (const char* session : {"s1", "s2"}) house.ask(Heartbeat{id("abc"), id(session)});
    for (int i = 0; i < 2; ++i) house.ask(End{id("abc"), id("s1")});
    house.ask(Heartbeat{id("abc"), id("s1")});
    house.ask(Heartbeat{id("abc"), id("never")});
    house.ask(Purge{id("abc")});
    const Counts counts = house.service.status().counts;
    CHECK(counts.starts.started == 3);
    CHECK(counts.starts.denied == 1);
    CHECK(counts.starts.renewed == 1);
    CHECK(counts.heartbeats.renewed == 2);
    CHECK(counts.heartbeats.gone == 1);
    CHECK(counts.heartbeats.unknown == 1);
    CHECK(counts.ends.ended == 1);
    CHECK(counts.ends.not_active == 1);
    CHECK(counts.purged == 2);
    CHECK(counts.durations[0].count() == 5);
    CHECK(counts.durations[1].count() == 4);
    CHECK(counts.durations[2].count() == 2);
    CHECK(counts.durations[3].count() == 1);
    CHECK(counts.commits.count() == house.service.status().commits);
    CHECK(house.service.status().events == house.service.events().next() - 1);
  }
  SUBCASE("a lease that runs out and an eviction are counted") {
    Policy policy;
    policy.limit = 1;
    policy.on_limit = OnLimit::kEvictOldest;
    house.service.set_policy(policy);
    for (const char* session : {"s1", "s2"}) house.ask(Start{id("abc"), id(session)});
    house.clock.tick(90s);
    house.ask(Start{id("abc"), id("s3")});
    CHECK(house.service.status().evictions.total == 1);
    CHECK(house.service.status().expiries.total == 1);
  }
  SUBCASE("what the reply to a report or a backup holds is let go of by the loop's thread") {
    constexpr std::size_t kRounds = 50;
    std::vector<std::thread::id> by;
    std::size_t answered = 0;
    for (std::size_t i = 0; i < kRounds; ++i) {
      const auto held = [&by] { return std::make_shared<const LetGo>(by); };
      house.service.report(ReportQuery{}, [&, kept = held()](const Result<Report>& report) {
        answered += report.has_value() ? 1 : 0;
      });
      house.service.backup(
          [&, kept = held()](const Result<Fd>& copy) { answered += copy.has_value() ? 1 : 0; });
      while (answered < 2 * (i + 1)) house.loop.run_one();
    }
    CHECK(by == std::vector(2 * kRounds, std::this_thread::get_id()));
  }
  SUBCASE("what comes alone is committed by the loop itself, with the next step of it") {
    bool answered = false;
    house.service.submit(Start{id("abc"), id("alone")},
                         [&](const Result<Answer>&) { answered = true; });
    CHECK_FALSE(answered);
    house.loop.run_one();
    CHECK(answered);
    CHECK(house.service.status().changes_waiting == 0);
  }
  SUBCASE("a commit is measured and a slow one is told, once a minute") {
    const CapturedLog captured;
    house.log.set_level(LogLevel::kWarning);
    for (int i = 0; i < 2; ++i) {
      house.loop.poll();  // what the commit before left to do
      int answered = 0;
      const std::string name = "slow" + std::to_string(i);
      for (const char* session : {"s1", "s2"}) {
        house.service.submit(Start{id(name), id(session)},
                             [&](const Result<Answer>&) { ++answered; });
      }
      house.loop.run_one();  // hands both to the journal, for they are not alone
      CHECK(house.service.status().changes_waiting == 2);
      house.clock.tick(1500ms);
      while (answered < 2) house.loop.run_one();
    }
    CHECK(house.service.status().changes_waiting == 0);
    const Counts counts = house.service.status().counts;
    CHECK(counts.commits.sum() == 3'000'000'000);
    CHECK(counts.durations[0].sum() == 6'000'000'000);
    CHECK(counts.commit_changes.sum() == 4);
    REQUIRE(captured.lines().size() == 1);
    CHECK(captured.lines()[0].find("warning a commit to ") == 0);
    CHECK(captured.lines()[0].find(" took 1.5 s (changes: 2), ") != std::string::npos);
  }
}

TEST_CASE("LocalService on a full disk") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  House house(path);
  house.log.set_level(LogLevel::kError);
  for (const char* session : {"s1", "s2"}) house.ask(Start{id("abc"), id(session)});
  for (const char* session : {"s1", "s2", "s3"}) house.ask(Start{id("full"), id(session)});
  {
    const FullDisk full;
    const auto answers = house.ask({Start{id("abc"), id("s3")}, Start{id("abc"), id("s4")},
                                    End{id("abc"), id("s1")}, Heartbeat{id("abc"), id("s3")},
                                    Heartbeat{id("full"), id("s1")}, Start{id("full"), id("s4")},
                                    ListUser{id("full")}, Purge{}, Purge{{}, {}, true}});
    SUBCASE("starts, ends, and what was decided on top of them are unavailable") {
      for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(answers[i].has_error());
        CHECK(answers[i].error().kind == ErrorKind::kUnavailable);
      }
      CHECK_FALSE(house.service.status().trouble.empty());
      const Counts counts = house.service.status().counts;
      CHECK(counts.starts.failed == 2);
      CHECK(counts.ends.failed == 1);
      CHECK(counts.heartbeats.failed == 1);
      CHECK(counts.starts.started == 5);
      CHECK(counts.commits_failed >= 1);
    }
    SUBCASE("a purge of all is unavailable, once, and purges nothing") {
      REQUIRE(answers[7].has_error());
      CHECK(answers[7].error().kind == ErrorKind::kUnavailable);
      CHECK(house.service.status().sessions == 5);
    }
    SUBCASE("heartbeats, denials and lists of what is stored go on") {
      CHECK(granted(answers[4]));
      CHECK(std::holds_alternative<Denied>(*answers[5]));
      CHECK(std::get<UserSessions>(*answers[6]).active == 3);
    }
    SUBCASE("nothing of what failed has happened") {
      const auto list = std::get<UserSessions>(*house.ask(ListUser{id("abc")}));
      CHECK(list.active == 2);
      CHECK(list.sessions[0].session == "s1");
    }
  }
  CHECK(granted(house.ask(Start{id("abc"), id("s3")})));
  CHECK(house.service.status().trouble.empty());
  CHECK(stored(path) == 6);
}
