#include "service/waiting_service.hpp"

#include "service/command_meter.hpp"
#include "service/local_service.hpp"
#include "support/captured_log.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <boost/asio/post.hpp>

#include <deque>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::CapturedLog;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace {

struct Names : std::vector<std::string> {
  using std::vector<std::string>::vector;
  friend std::ostream& operator<<(std::ostream& out, const Names& names) {
    for (const std::string& each : names) out << each << ", ";
    return out;
  }
};

Id id(std::string_view text) { return *Id::parse("id", text); }

std::string word_of(EventKind kind) {
  switch (kind) {
    case EventKind::kStarted:
      return "started";
    case EventKind::kDenied:
      return "denied";
    case EventKind::kEnded:
      return "ended";
    case EventKind::kWaiting:
      return "waiting";
    case EventKind::kLeft:
      return "left";
    case EventKind::kRenewed:
    case EventKind::kExpired:
    case EventKind::kEvicted:
    case EventKind::kPurged:
    case EventKind::kLimitChanged:
    case EventKind::kBlocked:
    case EventKind::kUnblocked:
      break;
  }
  return "another";
}

// What an answer says, in a word.
std::string word_of(const Result<Answer>& answer) {
  if (!answer) return "error";
  if (const auto* granted = std::get_if<Granted>(&*answer)) {
    return granted->renewed ? "renewed" : "started";
  }
  if (std::holds_alternative<Denied>(*answer)) return "denied";
  if (std::holds_alternative<Throttled>(*answer)) return "throttled";
  return "another";
}

// Starts that wait, by the session's name; all of user "abc" where no other is named.
class Asked {
 public:
  Asked(WaitingService& service, const Clock& clock) : service_(service), clock_(clock) {}

  void start(const std::string& session, Millis wait, Start start = {id("abc"), id("x")}) {
    start.session = id(session);
    const auto reply = [this, session](Result<Answer>&& answer) { keep(session, answer); };
    places_[session] = wait == Millis(-1)
                           ? plain(start, reply)
                           : service_.submit_waiting(start, wait, clock_.now(), reply);
  }
  void leave(const std::string& session) { service_.leave(places_.at(session)); }
  bool has_place(const std::string& session) const {
    return places_.at(session) != Service::kNoPlace;
  }

  // "s4 started", in the order in which they were answered.
  Names take() { return std::exchange(said_, {}); }
  const Answer& answer(const std::string& session) const { return answers_.at(session); }

 private:
  template <class Reply>
  Service::Place plain(const Start& start, const Reply& reply) {
    service_.submit(start, clock_.now(), reply);
    return Service::kNoPlace;
  }
  void keep(const std::string& session, const Result<Answer>& answer) {
    said_.push_back(session + " " + word_of(answer));
    if (answer) answers_.insert_or_assign(session, *answer);
  }

  WaitingService& service_;
  const Clock& clock_;
  std::map<std::string, Service::Place> places_;
  std::map<std::string, Answer> answers_;
  Names said_;
};

constexpr Millis kPlain{-1};

Policy one_at_once() {
  Policy policy;
  policy.limit = 1;
  policy.start_rate = 0;
  return policy;
}

// Above a real service on one machine.
struct Local {
  explicit Local(const std::string& path, const Policy& policy = one_at_once())
      : beneath(runner, events, clock, log, Registry(policy, 1),
                std::move(*Store::open(path, Durability::kFull, "boot")), path) {}

  // Everything that was asked for is decided, stored and answered.
  void settle() {
    while (true) {
      loop.poll();
      loop.restart();
      if (is_stored()) return;
      loop.run_one();
      loop.restart();
    }
  }
  bool is_stored() const {
    return std::get<DatabaseStatus>(beneath.status().storage).waiting_changes == 0;
  }
  void submit(const Command& command) {
    service.submit(command, clock.now(), [](Result<Answer>&&) {});
  }
  void end(const std::string& session) { submit(End{id("abc"), id(session)}); }
  // What time brings.
  void pass(Millis time) {
    clock.tick(time);
    service.look();
  }
  Names take() {
    settle();
    return asked.take();
  }
  Names happened() {
    Names names;
    for (; seen < events.next(); ++seen) {
      const Event& event = events.at(seen);
      names.push_back(event.session.str() + " " + word_of(event.kind));
    }
    return names;
  }
  const Event& last_event() const { return events.at(events.next() - 1); }
  std::uint64_t denials() {
    std::uint64_t count = 0;
    bool done = false;
    beneath.report({}, [&](Result<Report> report) {
      REQUIRE(report.has_value());
      for (const auto& user : report->users) count += user.denials;
      done = true;
    });
    while (!done) loop.run_one();
    return count;
  }

  boost::asio::io_context loop;
  LoopRunner runner{loop};
  FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  EventLog events{[this] { boost::asio::post(loop, [this] { events.wake_readers(); }); }};
  LocalService beneath;
  WaitingService service{beneath, events, runner.turn(), clock, WaitingService::Scope::kAlone};
  Asked asked{service, clock};
  std::uint64_t seen = 1;
};

// A service that answers when the test says so, as one that asks others does.
class Later final : public Service {
 public:
  void when_ready(Callback<void()> ready) override { ready(); }
  void submit(const Command& command, const Now& /*now*/, Reply reply) override {
    std::string what = "other";
    if (const auto* start = std::get_if<Start>(&command)) {
      what = std::string(start->session.text()) + (start->tries ? " tries" : " asks");
    } else if (const auto* end = std::get_if<End>(&command)) {
      what = std::string(end->session.text()) + " ends";
    }
    questions.push_back(what);
    open.emplace_back(what, std::move(reply));
  }
  void report(const ReportQuery& /*query*/, ReportReply /*reply*/) override {}
  void backup(BackupReply /*reply*/) override {}
  void configure(const ServiceConfig& /*config*/) override {}
  const std::string& trouble() const override { return none; }
  ServiceStatus status() const override { return {}; }
  void finish(Callback<void()> done) override { done(); }

  // What was asked and is not answered yet is answered, oldest first.
  void answer(const std::string& what, Result<Answer> answer) {
    REQUIRE_FALSE(open.empty());
    CHECK(open.front().first == what);
    auto reply = std::move(open.front().second);
    open.pop_front();
    reply(std::move(answer));
  }
  Names take() { return std::exchange(questions, {}); }

  std::string none;
  Names questions;
  std::deque<std::pair<std::string, Reply>> open;
};

Answer denied(Millis retry_after = 90s) {
  Denied denied;
  denied.active = 1;
  denied.attempted = 2;
  denied.limit = 1;
  denied.retry_after = retry_after;
  return denied;
}

struct Shared {
  explicit Shared(WaitingService::Scope scope = WaitingService::Scope::kShared)
      : service(beneath, events, turn, clock, scope) {}
  void run() {
    loop.poll();
    loop.restart();
  }
  // Parks a start of that name.
  void park(const std::string& session, Millis wait = 60s) {
    asked.start(session, wait);
    while (!beneath.open.empty()) beneath.answer(beneath.open.front().first, denied());
    beneath.take();
  }
  void happens(EventKind kind, std::string_view user = "abc") {
    Event event;
    event.kind = kind;
    event.user = PackedText(user);
    events.publish(std::move(event), clock.now().instant);
    run();
  }

  boost::asio::io_context loop;
  Turn turn{loop};
  FakeClock clock;
  EventLog events;
  Later beneath;
  WaitingService service;
  Asked asked{service, clock};
};

}  // namespace

TEST_CASE("WaitingService lets a start wait for room") {
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  of.asked.start("s1", 60s);
  REQUIRE(of.take() == Names{"s1 started"});

  SUBCASE("until a session ends, with the same commit") {
    of.asked.start("s2", 60s);
    CHECK(of.take().empty());
    const auto commits = [&] {
      return std::get<DatabaseStatus>(of.beneath.status().storage).commits.durations.count();
    };
    const auto before = commits();
    of.clock.tick(2500ms);
    of.end("s1");
    CHECK(of.take() == Names{"s2 started"});
    CHECK(commits() == before + 1);
    CHECK(std::get<Granted>(of.asked.answer("s2")).waited == 2500ms);
  }
  SUBCASE("until a lease runs out, to the millisecond") {
    of.asked.start("s2", 2min);
    of.pass(90s - 1ms);
    CHECK(of.take().empty());
    of.pass(1ms);
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("until a lease runs out that was shortened meanwhile") {
    of.asked.start("s2", 2min);
    of.submit(Heartbeat{id("abc"), id("s1"), 5s});
    of.pass(4999ms);
    CHECK(of.take().empty());
    of.pass(1ms);
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("longer where the lease is renewed") {
    of.asked.start("s2", 5min);
    of.pass(60s);
    of.submit(Heartbeat{id("abc"), id("s1")});
    of.pass(89s);
    CHECK(of.take().empty());
    of.pass(1s);
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("until the user, its limit, or all are changed by an operator") {
    of.asked.start("s2", 60s);
    SUBCASE("a purge of the user") { of.submit(Purge{id("abc")}); }
    SUBCASE("a purge of all") { of.submit(Purge{}); }
    SUBCASE("a purge of the idle") {
      of.clock.tick(30s);
      of.submit(Purge{{}, 20s});
    }
    SUBCASE("the user's limit") { of.submit(SetLimit{id("abc"), 2}); }
    SUBCASE("the user's plan, and what the plan allows") {
      of.submit(SetPlan{id("gold"), 1});
      of.submit(SetLimit{id("abc"), {}, id("gold")});
      CHECK(of.take().empty());
      of.submit(SetPlan{id("gold"), 2});
    }
    SUBCASE("the policy") {
      ServiceConfig config;
      config.policy.limit = 2;
      of.service.configure(config);
    }
    SUBCASE("the observe mode, in which nobody is denied") {
      ServiceConfig config;
      config.policy = one_at_once();
      config.policy.mode = Mode::kObserve;
      of.service.configure(config);
    }
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("not where it would be let in, by eviction or in the place of another") {
    Start evicts{id("abc"), id("x")};
    evicts.on_limit = OnLimit::kEvictOldest;
    of.asked.start("s2", 60s, evicts);
    CHECK(of.take() == Names{"s2 started"});
    Start replaces{id("abc"), id("x")};
    const std::string other = "s2";
    replaces.replace = id(other);
    of.asked.start("s3", 60s, replaces);
    CHECK(of.take() == Names{"s3 started"});
  }
  SUBCASE("nor a renewal") {
    of.asked.start("s1", 60s);
    CHECK(of.take() == Names{"s1 renewed"});
    CHECK_FALSE(of.asked.has_place("s1"));
  }
  SUBCASE("until an evicted one may evict again") {
    Start tv{id("abc"), id("x")};
    tv.on_limit = OnLimit::kEvictOldest;
    tv.details.device = "tv";
    of.asked.start("s2", 60s, tv);
    CHECK(of.take() == Names{"s2 started"});
    Start phone{id("abc"), id("x")};
    phone.on_limit = OnLimit::kEvictOldest;
    phone.ttl = 30min;
    of.asked.start("s3", 30min, phone);  // s2's is protected for the hold-off
    of.submit(Heartbeat{id("abc"), id("s2"), 30min});
    of.pass(kDefaultHoldOff - 1ms);
    CHECK(of.take().empty());
    of.pass(1ms);
    CHECK(of.take() == Names{"s3 started"});
  }
  SUBCASE("until its time is over: then it is denied as any other, with all that says") {
    of.asked.start("s2", 5s);
    of.pass(4999ms);
    CHECK(of.take().empty());
    of.pass(1ms);
    CHECK(of.take() == Names{"s2 denied"});
    const auto& denied = std::get<Denied>(of.asked.answer("s2"));
    CHECK(denied.sessions.size() == 1);
    CHECK(denied.retry_after == 85s);
    CHECK(denied.waited == 5s);
  }
  SUBCASE("whose denial is durable, for it is answered") {
    of.asked.start("s2", 0s);
    of.submit(End{id("abc"), id("s1")});
    of.asked.start("s3", 60s);
    of.asked.start("s4", 0s);
    CHECK(of.asked.take() == Names{"s2 denied"});
    CHECK(of.take() == Names{"s3 started", "s4 denied"});
  }
  SUBCASE("which lets it in where a lease runs out at that very millisecond") {
    of.asked.start("s2", 90s);
    of.pass(90s);
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("0 is not to wait") {
    of.asked.start("s2", 0s);
    CHECK(of.take() == Names{"s2 denied"});
    CHECK(std::get<Denied>(of.asked.answer("s2")).waited == std::nullopt);
  }
  SUBCASE("until it is ended before it began, which denies it") {
    of.asked.start("s2", 60s);
    of.end("s2");
    CHECK(of.take() == Names{"s2 denied"});
    of.end("s1");
    CHECK(of.take().empty());
  }
  SUBCASE("until the daemon stops, and from then on none") {
    of.asked.start("s2", 60s);
    of.service.drain();
    CHECK(of.take() == Names{"s2 denied"});
    of.asked.start("s3", 60s);
    CHECK(of.take() == Names{"s3 denied"});
  }
  SUBCASE("under a name that another start makes active: it renews") {
    of.asked.start("s2", 60s);
    of.asked.start("s2", 60s);
    of.end("s1");
    CHECK(of.take() == Names{"s2 started", "s2 renewed"});
  }
  SUBCASE("and is answered 429 where its user started too often meanwhile") {
    Policy policy = one_at_once();
    policy.start_rate = 1;
    ServiceConfig config;
    config.policy = policy;
    of.service.configure(config);
    of.submit(Purge{id("abc")});
    of.asked.start("s2", 60s);
    of.asked.start("s3", 60s);
    of.end("s2");
    CHECK(of.take() == Names{"s2 started", "s3 throttled"});
  }
}

TEST_CASE("WaitingService serves first who comes first") {
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  of.asked.start("s1", 60s);
  REQUIRE(of.take() == Names{"s1 started"});

  SUBCASE("one for each place that becomes free") {
    for (const char* name : {"s2", "s3", "s4"}) of.asked.start(name, 60s);
    of.end("s1");
    CHECK(of.take() == Names{"s2 started"});
    of.end("s2");
    CHECK(of.take() == Names{"s3 started"});
    of.end("s3");
    CHECK(of.take() == Names{"s4 started"});
  }
  SUBCASE("the first who fits, though others came before") {
    Start wide{id("abc"), id("x")};
    wide.limit = 2;
    of.asked.start("s2", kPlain, wide);
    for (const char* name : {"s3", "s4"}) of.asked.start(name, 60s);
    of.asked.start("s5", 60s, wide);
    of.end("s2");
    CHECK(of.take() == Names{"s2 started", "s5 started"});
    CHECK(of.service.status().waiting == 2);
  }
  SUBCASE("whoever comes without waiting, at the moment in which a lease runs out") {
    of.asked.start("s2", 2min);
    of.clock.tick(90s);
    of.asked.start("s3", kPlain);
    CHECK(of.take() == Names{"s2 started", "s3 denied"});
  }
  SUBCASE("whoever comes to wait then") {
    of.asked.start("s2", 2min);
    of.clock.tick(90s);
    of.asked.start("s3", 2min);
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("whoever comes right behind an end that is not stored yet") {
    of.asked.start("s2", 2min);
    of.end("s1");
    of.asked.start("s3", kPlain);
    CHECK(of.take() == Names{"s2 started", "s3 denied"});
  }
  SUBCASE("and users have nothing to do with each other") {
    Start other{id("xyz"), id("x")};
    of.asked.start("s2", 60s);
    of.asked.start("t1", 60s, other);
    of.asked.start("t2", 60s, other);
    of.submit(End{id("xyz"), id("t1")});
    CHECK(of.take() == Names{"t1 started", "t2 started"});
    of.end("s1");
    CHECK(of.take() == Names{"s2 started"});
  }
  SUBCASE("fifty of one limit, in their order") {
    Start of_fifty{id("abc"), id("x")};
    Names expected;
    for (int i = 0; i < 16; ++i) of.asked.start("w" + std::to_string(i), 60s, of_fifty);
    of.take();
    std::string active = "s1";
    for (int i = 0; i < 50; ++i) {
      of.end(active);
      active = "w" + std::to_string(i);
      CHECK(of.take() == Names{active + " started"});
      of.asked.start("w" + std::to_string(i + 16), 60s, of_fifty);
    }
  }
}

TEST_CASE("WaitingService has bounds, beyond which a start is answered at once") {
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  const auto park = [&](const std::string& user, std::size_t count) {
    const Start start{id(user), id("x")};
    for (std::size_t i = 0; i <= count; ++i) {
      of.asked.start(user + std::to_string(i), 60s, start);
    }
  };

  SUBCASE("16 of a user") {
    park("abc", 16);
    of.take();
    CHECK(of.service.status().waiting == 16);
    of.asked.start("s99", 60s);
    CHECK(of.take() == Names{"s99 denied"});
    of.end("abc0");
    CHECK(of.take() == Names{"abc1 started"});
    of.asked.start("s99", 60s);
    CHECK(of.take().empty());
  }
  SUBCASE("512 of all") {
    for (int i = 0; i < 32; ++i) park("u" + std::to_string(i), 16);
    of.take();
    CHECK(of.service.status().waiting == 512);
    park("other", 1);
    CHECK(of.take() == Names{"other0 started", "other1 denied"});
    of.submit(End{id("u0"), id("u00")});
    of.take();
    of.asked.start("other2", 60s, Start{id("other"), id("x")});
    CHECK(of.take().empty());
  }
}

TEST_CASE("WaitingService forgets who is gone") {
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  of.asked.start("s1", 60s);
  of.asked.start("s2", 60s);
  of.asked.start("s3", 60s);
  of.take();

  SUBCASE("the next one gets the place") {
    of.asked.leave("s2");
    CHECK(of.take() == Names{"s2 denied"});
    of.end("s1");
    CHECK(of.take() == Names{"s3 started"});
  }
  SUBCASE("of whom nothing is recorded but that it left") {
    of.happened();
    of.clock.tick(3s);
    of.asked.leave("s2");
    of.settle();
    CHECK(of.happened() == Names{"s2 left"});
    CHECK(of.last_event().more->waited == 3s);
    CHECK(of.denials() == 0);
    CHECK(of.service.status().waits.left == 1);
    CHECK(of.service.status().waiting == 1);
  }
  SUBCASE("at the moment in which it is let in: it is, as any start whose client dies") {
    of.end("s1");
    of.asked.leave("s2");
    CHECK(of.take() == Names{"s2 started"});
    of.asked.leave("s2");
    CHECK(of.take().empty());
    CHECK(of.service.status().waits.started == 1);
  }
  SUBCASE("and all of them") {
    of.asked.leave("s3");
    of.asked.leave("s2");
    CHECK(of.take() == Names{"s3 denied", "s2 denied"});
    CHECK(of.service.status().waiting == 0);
    of.end("s1");
    of.asked.start("s4", 60s);
    CHECK(of.take() == Names{"s4 started"});
  }
}

TEST_CASE("WaitingService shows who waits and what became of it") {
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  CommandMeter meter(of.service, of.clock);
  Start tv{id("abc"), id("s2")};
  tv.details.device = "tv";
  of.asked.start("s1", 60s);
  of.take();
  of.happened();

  SUBCASE("in events: it waits, and it started") {
    of.asked.start("s2", 60s, tv);
    CHECK(of.happened() == Names{"s2 waiting"});
    CHECK(of.last_event().active == 1);
    CHECK(of.last_event().limit == 1);
    CHECK(of.last_event().more->details.device == "tv");
    of.clock.tick(1500ms);
    of.submit(SetLimit{id("abc"), 2});
    of.settle();
    CHECK(of.happened() == Names{" another", "s2 started"});
    CHECK(of.last_event().more->waited == 1500ms);
    CHECK(of.denials() == 0);
  }
  SUBCASE("it waits, and it is denied, once, however often it was asked again") {
    of.asked.start("s2", 60s, tv);
    for (int i = 0; i < 5; ++i) of.submit(SetLimit{id("abc"), 1});
    of.settle();
    of.happened();
    of.pass(60s);
    of.settle();
    CHECK(of.happened() == Names{"s2 denied"});
    CHECK(of.last_event().more->waited == 60s);
    CHECK(of.denials() == 1);
  }
  SUBCASE("in events: none where it did not wait") {
    of.asked.start("s2", 0s);
    CHECK(of.happened() == Names{"s2 denied"});
    CHECK_FALSE(of.last_event().more);
    of.end("s1");
    of.asked.start("s3", 60s);
    of.settle();
    CHECK(of.happened() == Names{"s1 ended", "s3 started"});
    CHECK_FALSE(of.last_event().more);
  }
  SUBCASE("in figures") {
    of.asked.start("s2", 5s);
    of.asked.start("s3", 60s);
    CHECK(of.service.status().waiting == 2);
    of.pass(5s);
    of.clock.tick(2s);
    of.end("s1");
    of.take();
    const ServiceStatus status = of.service.status();
    CHECK(status.waiting == 0);
    CHECK(status.waits.denied == 1);
    CHECK(status.waits.started == 1);
    CHECK(status.waits.left == 0);
    CHECK(status.waits.durations.sum() == 12'000);
  }
  SUBCASE("and is counted once, without the time that it waited") {
    meter.submit_waiting(tv, 60s, [](const Result<Answer>&) {});
    const Start other{id("abc"), id("s3")};
    meter.submit_waiting(other, 5s, [](const Result<Answer>&) {});
    of.pass(5s);
    of.end("s1");
    of.settle();
    const CommandFigures figures = meter.figures(of.clock.now().instant);
    CHECK(figures.counts.starts.started == 1);
    CHECK(figures.counts.starts.denied == 1);
    CHECK(figures.counts.durations[0].count() == 2);
    CHECK(figures.counts.durations[0].sum() == 0);
  }
}

TEST_CASE("WaitingService goes on while no answer can be had") {
  Shared of(WaitingService::Scope::kAlone);
  const Error away{ErrorKind::kUnavailable, "away"};

  SUBCASE("of one that waits: it is asked again after a second") {
    of.park("s2");
    of.happens(EventKind::kEnded);
    of.beneath.answer("s2 tries", away);
    CHECK(of.asked.take().empty());
    of.clock.tick(1s);
    of.service.look();
    of.beneath.answer("s2 tries", Answer(Granted{}));
    CHECK(of.asked.take() == Names{"s2 started"});
  }
  SUBCASE("of one that was not asked yet: it is answered so at once") {
    of.asked.start("s2", 60s);
    of.beneath.answer("s2 tries", away);
    CHECK(of.asked.take() == Names{"s2 error"});
  }
  SUBCASE("to the end of its time, which is answered as it is") {
    of.park("s2", 5s);
    of.clock.tick(5s);
    of.service.look();
    of.beneath.answer("s2 tries", away);
    of.beneath.answer("s2 asks", away);
    CHECK(of.asked.take() == Names{"s2 error"});
    CHECK(of.service.status().waits.failed == 1);
  }
}

TEST_CASE("WaitingService above one that answers later") {
  Shared of;

  SUBCASE("asks all in their order, and whoever comes behind them") {
    of.park("s2");
    of.park("s3");
    of.asked.start("s4", kPlain);
    CHECK(of.beneath.take() == Names{"s2 tries", "s3 tries", "s4 asks"});
  }
  SUBCASE("asks right behind an end") {
    of.park("s2");
    of.service.submit(End{id("abc"), id("s1")}, of.clock.now(), [](Result<Answer>&&) {});
    CHECK(of.beneath.take() == Names{"s1 ends", "s2 tries"});
  }
  SUBCASE("asks one once at a time, and again where something changed meanwhile") {
    of.park("s2");
    of.happens(EventKind::kEnded);
    of.happens(EventKind::kExpired);
    CHECK(of.beneath.take() == Names{"s2 tries"});
    of.beneath.answer("s2 tries", denied());
    CHECK(of.beneath.take() == Names{"s2 tries"});
    of.beneath.answer("s2 tries", denied());
    CHECK(of.beneath.take().empty());
  }
  SUBCASE("asks where events say that there may be room, of that user") {
    of.park("s2");
    for (const EventKind kind :
         {EventKind::kEnded, EventKind::kExpired, EventKind::kEvicted, EventKind::kPurged,
          EventKind::kLimitChanged, EventKind::kStarted}) {
      of.happens(kind);
      of.beneath.answer("s2 tries", denied());
      CHECK(of.beneath.take() == Names{"s2 tries"});
    }
    for (const EventKind kind : {EventKind::kDenied, EventKind::kRenewed, EventKind::kWaiting}) {
      of.happens(kind);
      CHECK(of.beneath.take().empty());
    }
    of.happens(EventKind::kEnded, "xyz");
    CHECK(of.beneath.take().empty());
    of.happens(EventKind::kLimitChanged, "");
    CHECK(of.beneath.take() == Names{"s2 tries"});
  }
  SUBCASE("asks within a second though nothing is seen to change, where others make room, too") {
    of.park("s2");
    for (int i = 0; i < 20; ++i) {
      of.clock.tick(599ms);
      of.service.look();
      CHECK(of.beneath.take().empty());
      of.clock.tick(301ms);
      of.service.look();
      CHECK(of.beneath.take() == Names{"s2 tries"});
      of.beneath.answer("s2 tries", denied());
    }
  }
  SUBCASE("is not asked so often where a lease is over and does not go") {
    of.asked.start("s2", 60s);
    of.beneath.answer("s2 tries", denied(-5ms));
    of.beneath.take();
    of.clock.tick(99ms);
    of.service.look();
    CHECK(of.beneath.take().empty());
    of.clock.tick(1ms);
    of.service.look();
    CHECK(of.beneath.take() == Names{"s2 tries"});
  }
  SUBCASE(
      "waits for the answer under way where the time is over, and then asks for the last time") {
    of.park("s2", 5s);
    of.happens(EventKind::kEnded);
    of.clock.tick(5s);
    of.service.look();
    CHECK(of.beneath.take() == Names{"s2 tries"});
    of.beneath.answer("s2 tries", denied());
    CHECK(of.beneath.take() == Names{"s2 asks"});
    of.beneath.answer("s2 asks", denied());
    CHECK(of.asked.take() == Names{"s2 denied"});
  }
  SUBCASE("does not heed who goes when it was asked for the last time") {
    of.park("s2", 5s);
    of.clock.tick(5s);
    of.service.look();
    of.beneath.answer("s2 tries", denied());
    of.asked.leave("s2");
    of.beneath.answer("s2 asks", denied());
    CHECK(of.service.status().waits.left == 0);
    CHECK(of.service.status().waits.denied == 1);
  }
  SUBCASE("lets in whom it was asked for last, where there is room after all") {
    of.park("s2", 5s);
    of.clock.tick(5s);
    of.service.look();
    of.beneath.answer("s2 tries", denied());
    of.beneath.answer("s2 asks", Answer(Granted{}));
    CHECK(of.asked.take() == Names{"s2 started"});
  }
  SUBCASE("forgets who is gone while it is asked, once that is answered") {
    of.asked.start("s2", 60s);
    of.asked.leave("s2");
    CHECK(of.asked.take().empty());
    SUBCASE("denied") {
      of.beneath.answer("s2 tries", denied());
      CHECK(of.asked.take() == Names{"s2 denied"});
      CHECK(of.service.status().waits.left == 0);  // it had not begun to wait
    }
    SUBCASE("let in") {
      of.beneath.answer("s2 tries", Answer(Granted{}));
      CHECK(of.asked.take() == Names{"s2 started"});
    }
    SUBCASE("without an answer") {
      of.beneath.answer("s2 tries", Error{ErrorKind::kTimeout, "late"});
      CHECK(of.asked.take() == Names{"s2 error"});
    }
    CHECK(of.service.status().waiting == 0);
    of.happens(EventKind::kEnded);
    CHECK(of.beneath.open.empty());
  }
  SUBCASE("passes all on where nobody waits, and listens to nothing") {
    of.asked.start("s2", kPlain);
    CHECK(of.beneath.take() == Names{"s2 asks"});
    of.park("s3");
    of.asked.leave("s3");
    of.happens(EventKind::kEnded);
    CHECK(of.beneath.take().empty());
  }
}

TEST_CASE("WaitingService wakes by itself") {
  boost::asio::io_context loop;
  Turn turn(loop);
  const SystemClock clock;
  EventLog events;
  Later beneath;
  WaitingService service(beneath, events, turn, clock, WaitingService::Scope::kAlone);
  Asked asked(service, clock);
  asked.start("s2", 60s);
  beneath.answer("s2 tries", denied(20ms));
  beneath.take();
  loop.run_one();
  while (beneath.questions.empty()) loop.run_one();
  CHECK(beneath.take() == Names{"s2 tries"});
  beneath.answer("s2 tries", Answer(Granted{}));
  CHECK(asked.take() == Names{"s2 started"});
}

TEST_CASE("WaitingService asks again where a commit failed, for that makes room") {
  const CapturedLog captured;
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  {
    const FullDisk disk;
    of.submit(Start{id("abc"), id("s1")});
    of.asked.start("s2", 60s);
    CHECK(of.take().empty());
  }
  of.pass(1s);
  CHECK(of.take() == Names{"s2 started"});
}

TEST_CASE("WaitingService goes on where a commit fails, for then nothing has changed") {
  const CapturedLog captured;
  const TempFolder folder;
  Local of(folder.file("sessions.db"));
  of.asked.start("s1", 60s);
  of.asked.start("s2", 60s);
  CHECK(of.take() == Names{"s1 started"});
  {
    const FullDisk disk;
    of.end("s1");
    CHECK(of.take().empty());
  }
  of.pass(1s);
  CHECK(of.take().empty());
  of.end("s1");
  CHECK(of.take() == Names{"s2 started"});
}
