#include "fleet/desks.hpp"

#include "support/described.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_engine.hpp"
#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;
using Door = FakeServers::Door;

namespace {

const std::string kKey = "concur:u:u";

Policy policy_with(OnLimit on_limit, std::uint32_t limit) {
  Policy policy = unthrottled();
  policy.on_limit = on_limit;
  policy.limit = limit;
  return policy;
}

// One of the fleet's boxes, which comes to the engine by an address of its own.
struct DesksBox {
  DesksBox(EngineFixture& world, std::uint64_t identity, engine::Address at, const Policy& policy,
           const FleetConfig& config)
      : address(std::move(at)),
        engine(world.turn, world.clock, world.servers, config_of(address)),
        judge(policy, identity, 7),
        desks({world.loop, world.turn, world.clock, engine, judge, served, counts,
               [this](std::vector<Event>&& more) {
                 for (Event& each : more) events.push_back(each.kind);
               },
               [](std::uint64_t box) { return "box-" + std::to_string(box); },
               [this](std::uint64_t box, std::string_view user) { told.emplace_back(box, user); }},
              config, "concur:", identity) {}

  static engine::EngineConfig config_of(const engine::Address& address) {
    engine::EngineConfig config;
    config.seeds = {address};
    config.prefix = "concur:";
    config.ack = engine::Ack::kPrimary;
    return config;
  }
  std::size_t count(EventKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(events, kind));
  }

  engine::Address address;
  engine::Engine engine;
  Judge judge;
  Served served{[](Change&&) {}};
  FleetCounts counts;
  std::vector<EventKind> events;
  std::vector<std::pair<std::uint64_t, std::string>> told;  // of whom a session was ended
  Desks desks;
};

struct DesksFixture : EngineFixture {
  explicit DesksFixture(const Policy& policy = unthrottled(), FleetConfig config = {})
      : a(*this, 1, kFirst, policy, config), b(*this, 2, kSecond, policy, config) {
    execute();
    for (int i = 0; i < 3; ++i) tick();
  }

  // The servers execute what comes; otherwise the test answers.
  void execute() {
    servers.script = [this](const FakeServers::End&, const Words& words) {
      return memory.reply(words);
    };
  }
  void hold() { servers.script = {}; }
  void answer_held() {
    execute();
    while (!servers.held.empty()) {
      servers.answer(*memory.reply(servers.held.front().words));
      run();
    }
  }

  void tick() {
    clock.tick(engine::Engine::kTick);
    for (DesksBox* const box : {&a, &b}) {
      box->engine.tick();
      run();
      box->desks.tick(box->engine.health().whole);
      run();
    }
  }
  void pass(Millis time) {
    for (Millis passed{0}; passed < time; passed += engine::Engine::kTick) tick();
  }
  void cut_off(DesksBox& box) {
    servers.doors[box.address] = Door::kRefuses;
    servers.close(box.address);
    run();
  }
  void reconnect(DesksBox& box) {
    servers.doors.erase(box.address);
    pass(5s);
    REQUIRE(box.engine.health().whole);
  }

  // Its place among the answers.
  std::size_t submit(DesksBox& box, const Command& command, std::string_view user = "u") {
    clock.tick(10ms);  // more than the boxes' clocks may differ
    const std::size_t at = answers.size();
    answers.emplace_back();
    box.desks.submit(user, command, clock.now(), [this, at](Result<Answer>&& answer) {
      REQUIRE_FALSE(answers[at].has_value());
      answers[at] = std::move(answer);
    });
    run();
    return at;
  }
  template <class T>
  T answer(std::size_t at) {
    REQUIRE(answers[at].has_value());
    const Result<Answer>& result = *answers[at];
    INFO((result ? described(*result) : described(result.error())));
    REQUIRE(result.has_value());
    REQUIRE(std::holds_alternative<T>(*result));
    return std::get<T>(*result);
  }
  template <class T>
  T ask(DesksBox& box, const Command& command) {
    const std::size_t at = submit(box, command);
    for (int i = 0; i < 60 && !answers[at]; ++i) tick();
    return answer<T>(at);
  }
  ErrorKind refused(DesksBox& box, const Command& command) {
    const std::size_t at = submit(box, command);
    for (int i = 0; i < 60 && !answers[at]; ++i) tick();
    REQUIRE(answers[at].has_value());
    REQUIRE_FALSE(answers[at]->has_value());
    return answers[at]->error().kind;
  }
  Granted start(DesksBox& box, std::string_view session) {
    return ask<Granted>(box, Start{id("u"), id(session)});
  }
  Denied denied(DesksBox& box, std::string_view session) {
    return ask<Denied>(box, Start{id("u"), id(session)});
  }
  Granted beat(DesksBox& box, std::string_view session) {
    return ask<Granted>(box, Heartbeat{id("u"), id(session)});
  }

  // As the engine has it.
  UserState known() const {
    UserFields fields = memory.fields(kKey);
    sort_fields(fields);
    return read_user("u", fields, Instant(memory.now().time_since_epoch())).state;
  }
  std::string names() const {
    std::string all;
    for (const auto& each : known().sessions) all += (all.empty() ? "" : " ") + each.row.session;
    return all;
  }
  bool is_gone(std::string_view session, EndReason why) const {
    const UserState state = known();
    return std::ranges::any_of(state.gone, [&](const auto& each) {
      return each.row.session == session && each.row.reason == why;
    });
  }
  // What the box recorded.
  Usage recorded(DesksBox& box) {
    box.judge.flush_usage(100, clock.now());
    Usage all;
    for (const AddUsage& each : box.judge.take_usage()) {
      all.hour = each.usage.hour;
      all.merge(each.usage);
    }
    return all;
  }

  MemoryEngine memory{clock};
  DesksBox a;
  DesksBox b;
  std::vector<std::optional<Result<Answer>>> answers;
};

FleetConfig config_with(Unavailable unavailable) {
  FleetConfig config;
  config.unavailable = unavailable;
  return config;
}

}  // namespace

TEST_CASE("Desks commit what they decide") {
  DesksFixture f;

  SUBCASE("a start, by one change, and then it is answered, published and recorded") {
    f.hold();
    const std::size_t at = f.submit(f.a, Start{id("u"), id("s1")});
    CHECK_FALSE(f.answers[at].has_value());
    CHECK(f.a.events.empty());
    CHECK(f.a.served.sessions() == 0);
    f.answer_held();
    const Granted granted = f.answer<Granted>(at);
    CHECK_FALSE(granted.renewed);
    CHECK_FALSE(granted.degraded);
    CHECK(f.a.count(EventKind::kStarted) == 1);
    CHECK(f.a.served.sessions() == 1);
    CHECK(f.recorded(f.a).starts == 1);
    CHECK(f.memory.applied_changes == 1);
    const UserState state = f.known();
    REQUIRE(state.sessions.size() == 1);
    CHECK(state.sessions[0].box == 1);
    CHECK(static_cast<std::uint64_t>(state.sessions[0].row.id) == granted.start.id);
  }
  SUBCASE("a heartbeat, without a new version, and by whoever got it the session is served") {
    f.start(f.a, "s1");
    const std::string version = f.memory.hashes[kKey]["v"];
    f.clock.tick(10s);
    CHECK(f.beat(f.b, "s1").renewed);
    CHECK(f.memory.hashes[kKey]["v"] == version);
    CHECK(f.known().sessions.at(0).box == 2);
    CHECK(f.b.served.sessions() == 1);
  }
  SUBCASE("an end of what another box serves, which is told that") {
    f.start(f.a, "s1");
    f.ask<Ended>(f.a, End{id("u"), id("s1")});
    CHECK(f.a.told.empty());
    f.start(f.a, "s2");
    f.ask<Ended>(f.b, End{id("u"), id("s2")});
    CHECK(f.b.told == decltype(f.b.told){{1, "u"}});
    f.ask<Unknown>(f.a, Heartbeat{id("u"), id("s9")});
    CHECK(f.a.count(EventKind::kEnded) == 2);
    CHECK(f.a.served.sessions() == 0);
  }
  SUBCASE("what another box knows of the user") {
    f.start(f.a, "s1");
    f.start(f.b, "s2");
    CHECK(f.start(f.a, "s3").active == 3);
    const Denied denied = f.denied(f.b, "s4");
    REQUIRE(denied.sessions.size() == 3);
    CHECK(denied.sessions[0].box == "box-1");
    CHECK(denied.sessions[1].box == "box-2");
  }
}

TEST_CASE("Desks decide again where somebody else was first") {
  DesksFixture f(policy_with(OnLimit::kDeny, 2));

  SUBCASE("with another start") {
    f.start(f.a, "s1");
    f.start(f.b, "s2");
    CHECK(f.denied(f.a, "s3").active == 2);
    CHECK(f.memory.guarded_changes == 2);
    CHECK(f.names() == "s1 s2");
    CHECK(f.a.count(EventKind::kStarted) == 1);
    CHECK(f.recorded(f.a).starts == 1);
  }
  SUBCASE("with a sign of life of one whose lease is over as this box knows it") {
    f.start(f.a, "s1");
    f.start(f.a, "s2");
    f.clock.tick(60s);
    f.beat(f.b, "s1");
    f.beat(f.b, "s2");
    f.clock.tick(60s);
    CHECK(f.denied(f.a, "s3").active == 2);
    CHECK(f.names() == "s1 s2");
    CHECK(f.a.count(EventKind::kExpired) == 0);
  }
  SUBCASE("with a lease that is shorter by now than this box knows it") {
    f.start(f.a, "s1");
    f.start(f.a, "s2");
    f.ask<Granted>(f.b, Heartbeat{id("u"), id("s1"), Millis(10'000)});
    f.clock.tick(20s);
    CHECK(f.beat(f.a, "s2").active == 1);
    CHECK(f.start(f.a, "s3").active == 2);
  }
}

TEST_CASE("Desks deny only by what the engine has now") {
  DesksFixture f(policy_with(OnLimit::kDeny, 1));
  f.start(f.a, "s1");
  const std::size_t reads = f.memory.reads;

  SUBCASE("which they read") {
    f.denied(f.a, "s2");
    CHECK(f.memory.reads == reads + 1);
    CHECK(f.a.count(EventKind::kDenied) == 1);
    CHECK(f.recorded(f.a).denials == 1);
  }
  SUBCASE("each time") {
    f.denied(f.a, "s2");
    f.denied(f.a, "s2");
    CHECK(f.memory.reads == reads + 2);
  }
  SUBCASE("so an end anywhere makes room") {
    CHECK(f.ask<Ended>(f.b, End{id("u"), id("s1")}).ended);
    f.start(f.a, "s2");
    CHECK(f.a.count(EventKind::kDenied) == 0);
    CHECK(f.recorded(f.a).denials == 0);
  }
  SUBCASE("and so they say that somebody is gone") {
    f.ask<Ended>(f.b, End{id("u"), id("s1")});
    CHECK(f.ask<Gone>(f.a, Heartbeat{id("u"), id("s1")}).reason == EndReason::kEnded);
    f.ask<Unknown>(f.a, Heartbeat{id("u"), id("s9")});
  }
}

TEST_CASE("Desks answer once what was applied although its answer was lost") {
  DesksFixture f;
  f.hold();
  const std::size_t at = f.submit(f.a, Start{id("u"), id("s1")});
  REQUIRE(f.servers.held.size() == 1);
  f.memory.reply(f.servers.held.front().words);
  f.servers.close(kFirst);
  f.execute();
  SUBCASE("and nobody came in between") {}
  SUBCASE("and others came in between") {
    f.start(f.b, "s2");
    f.start(f.b, "s3");
  }
  f.pass(300ms);
  const Granted granted = f.answer<Granted>(at);
  CHECK_FALSE(granted.renewed);
  CHECK_FALSE(granted.degraded);
  std::vector<std::uint64_t> ids;
  for (const auto& each : f.known().sessions) {
    if (each.row.session == "s1") ids.push_back(static_cast<std::uint64_t>(each.row.id));
  }
  CHECK(ids == std::vector<std::uint64_t>{granted.start.id});
  CHECK(f.a.count(EventKind::kStarted) == 1);
  CHECK(f.recorded(f.a).starts == 1);
}

TEST_CASE("Desks decide what comes for one user meanwhile together") {
  DesksFixture f(policy_with(OnLimit::kDeny, 2));
  f.hold();
  const std::size_t first = f.submit(f.a, Start{id("u"), id("s1")});
  const std::size_t second = f.submit(f.a, Start{id("u"), id("s2")});
  const std::size_t third = f.submit(f.a, End{id("u"), id("s1")});
  const std::size_t fourth = f.submit(f.a, Start{id("u"), id("s3")});
  CHECK(f.servers.held.size() == 1);
  CHECK(f.a.desks.commands_under_way() == 4);
  f.answer_held();
  CHECK(f.answer<Granted>(first).active == 1);
  CHECK(f.answer<Granted>(second).active == 2);
  CHECK(f.answer<Ended>(third).active == 1);
  CHECK(f.answer<Granted>(fourth).active == 2);
  CHECK(f.memory.applied_changes == 2);
  CHECK(f.a.desks.commands_under_way() == 0);
  CHECK(f.names() == "s2 s3");
}

TEST_CASE("Desks keep so many users in memory as there is room for") {
  const auto rounds_of_a_known_user = [](std::size_t cache) {
    FleetConfig config;
    config.cache = cache;
    DesksFixture f(unthrottled(), config);
    f.start(f.a, "s1");
    f.submit(f.a, Start{id("v"), id("s1")}, "v");
    const std::size_t refused = f.memory.guarded_changes;
    f.start(f.a, "s2");
    return f.memory.guarded_changes - refused;
  };
  CHECK(rounds_of_a_known_user(kMinFleetCache) == 0);
  CHECK(rounds_of_a_known_user(1) == 1);
}

TEST_CASE("Desks take a late or a full engine as one that does not answer") {
  DesksFixture f;
  f.start(f.a, "s1");

  SUBCASE("a change that came too late is not made, and the box decides alone") {
    f.hold();
    const std::size_t at = f.submit(f.a, Start{id("u"), id("s2")});
    f.memory.ahead = 10s;
    f.answer_held();
    CHECK(f.answer<Granted>(at).degraded);
    CHECK(f.a.counts.requests.late == 1);
    CHECK(f.names() == "s1");
  }
  SUBCASE("a full memory takes no starts, and all else") {
    f.memory.full = true;
    CHECK(f.start(f.a, "s2").degraded);
    CHECK(f.a.counts.requests.full == 1);
    CHECK_FALSE(f.beat(f.b, "s1").degraded);
    CHECK_FALSE(f.ask<Ended>(f.b, End{id("u"), id("s1")}).degraded);
    CHECK(f.names() == "");
  }
}

TEST_CASE("Desks without the engine: local") {
  DesksFixture f(policy_with(OnLimit::kDeny, 3));
  f.start(f.b, "s1");
  f.start(f.a, "s2");
  f.cut_off(f.a);

  SUBCASE("starts are judged by what was last known, and told to be") {
    const Granted granted = f.start(f.a, "s3");
    CHECK(granted.degraded);
    CHECK(granted.active == 3);
    const Denied denied = f.denied(f.a, "s4");
    CHECK(denied.degraded);
    CHECK(denied.sessions.size() == 3);
    CHECK(f.a.counts.local_decisions.started == 1);
    CHECK(f.a.counts.local_decisions.denied == 1);
    CHECK(f.names() == "s1 s2");
  }
  SUBCASE("nobody waits for longer than the patience, and then nobody waits") {
    f.servers.doors[kFirst] = Door::kSilent;
    const std::size_t at = f.submit(f.a, Heartbeat{id("u"), id("s2")});
    f.pass(1100ms);
    CHECK(f.answer<Granted>(at).degraded);
    const std::size_t next = f.submit(f.a, Heartbeat{id("u"), id("s2")});
    CHECK(f.answer<Granted>(next).degraded);
  }
  SUBCASE("others' sessions count until their leases run out") {
    f.start(f.a, "s3");
    f.clock.tick(60s);
    f.beat(f.a, "s2");
    f.beat(f.a, "s3");
    f.denied(f.a, "s4");
    f.clock.tick(31s);
    CHECK(f.start(f.a, "s4").active == 3);
  }
  SUBCASE("a heartbeat is never told that there is none") {
    for (const char* const session : {"s1", "s2", "unknown", "unknown"}) {
      CAPTURE(std::string(session));
      CHECK(f.beat(f.a, session).degraded);
    }
    f.clock.tick(1h);
    for (const char* const session : {"s1", "s2", "unknown"}) {
      CAPTURE(std::string(session));
      CHECK(f.beat(f.a, session).degraded);
    }
  }
  SUBCASE("an end is taken, and made when the engine is back") {
    const Ended ended = f.ask<Ended>(f.a, End{id("u"), id("s2")});
    CHECK(ended.ended);
    CHECK(ended.degraded);
    CHECK(f.names() == "s1 s2");
    f.reconnect(f.a);
    CHECK(f.names() == "s1");
    CHECK(f.is_gone("s2", EndReason::kEnded));
  }
  SUBCASE("what was started meanwhile is there when the engine is back, above the limit too") {
    f.start(f.a, "s3");
    f.start(f.b, "s5");
    f.reconnect(f.a);
    CHECK(f.names() == "s1 s2 s3 s5");
    CHECK(f.a.counts.reclaimed >= 1);
    CHECK_FALSE(f.beat(f.a, "s3").degraded);
    CHECK_FALSE(f.denied(f.a, "s6").degraded);
  }
  SUBCASE("who was ended meanwhile stays ended") {
    f.ask<Ended>(f.b, End{id("u"), id("s2")});
    CHECK(f.beat(f.a, "s2").degraded);
    f.reconnect(f.a);
    CHECK(f.names() == "s1");
    CHECK(f.ask<Gone>(f.a, Heartbeat{id("u"), id("s2")}).reason == EndReason::kEnded);
  }
}

TEST_CASE("Desks without the engine evict none of another box's sessions") {
  DesksFixture f(policy_with(OnLimit::kEvictOldest, 2));
  f.start(f.b, "s1");
  f.start(f.a, "s2");
  f.cut_off(f.a);
  const Granted granted = f.start(f.a, "s3");
  CHECK(granted.degraded);
  CHECK(granted.evicted == std::vector<std::string>{"s2"});
  f.reconnect(f.a);
  CHECK(f.names() == "s1 s3");
  CHECK(f.is_gone("s2", EndReason::kEvicted));
  // With the engine, the oldest goes, whoever serves it; who was protected is not for that.
  CHECK(f.ask<Granted>(f.a, Heartbeat{id("u"), id("s3")}).degraded == false);
  for (const HoldOffRow& each : f.known().marks) CHECK(each.id != 0);
}

TEST_CASE("Desks without the engine: deny") {
  DesksFixture f(unthrottled(), config_with(Unavailable::kDeny));
  f.start(f.a, "s1");

  SUBCASE("starts are refused, not denied, and who watches goes on") {
    f.cut_off(f.a);
    CHECK(f.refused(f.a, Start{id("u"), id("s2")}) == ErrorKind::kUnavailable);
    CHECK(f.start(f.a, "s1").degraded);
    CHECK(f.beat(f.a, "s1").degraded);
    CHECK(f.refused(f.a, Heartbeat{id("u"), id("unknown")}) == ErrorKind::kUnavailable);
    CHECK(f.ask<Ended>(f.a, End{id("u"), id("s1")}).degraded);
    CHECK(f.a.counts.local_decisions.refused == 2);
  }
  SUBCASE("a start of which nobody knows what became is withdrawn") {
    f.hold();
    const std::size_t at = f.submit(f.a, Start{id("u"), id("s2")});
    REQUIRE(f.servers.held.size() == 1);
    f.memory.reply(f.servers.held.front().words);
    f.pass(1100ms);
    REQUIRE(f.answers[at].has_value());
    REQUIRE_FALSE(f.answers[at]->has_value());
    CHECK(f.answers[at]->error().kind == ErrorKind::kTimeout);
    CHECK(f.names() == "s1 s2");
    f.cut_off(f.a);
    f.execute();
    f.reconnect(f.a);
    CHECK(f.names() == "s1");
  }
}

TEST_CASE("Desks without the engine: allow") {
  DesksFixture f(policy_with(OnLimit::kDeny, 1), config_with(Unavailable::kAllow));
  f.start(f.a, "s1");
  f.cut_off(f.a);
  CHECK(f.start(f.a, "s2").degraded);
  CHECK(f.start(f.a, "s3").active == 3);
  CHECK(f.beat(f.a, "unknown").degraded);
  f.reconnect(f.a);
  CHECK(f.known().sessions.size() == 4);
  f.denied(f.a, "s4");
}

TEST_CASE("Desks heal an engine that forgot") {
  DesksFixture f(policy_with(OnLimit::kDeny, 2));
  f.start(f.a, "s1");
  f.start(f.b, "s2");
  f.memory.hashes.clear();

  SUBCASE("by the next heartbeat") {
    CHECK(f.beat(f.a, "s1").renewed);
    CHECK(f.names() == "s1");
    CHECK(f.a.counts.reclaimed == 1);
    CHECK(f.beat(f.b, "s2").renewed);
    CHECK(f.names() == "s1 s2");
  }
  SUBCASE("with the next start, which is judged with what came back") {
    CHECK(f.start(f.a, "s3").active == 2);
    CHECK(f.names() == "s1 s3");
    // Above the limit, as nobody is cut off who watched.
    CHECK(f.beat(f.b, "s2").active == 3);
    f.denied(f.b, "s4");
  }
  SUBCASE("when they are asked to, if something ended here that the engine may have back") {
    f.beat(f.a, "s1");
    const auto before = f.memory.hashes;
    f.ask<Ended>(f.a, End{id("u"), id("s1")});
    f.memory.hashes = before;
    f.a.desks.sync_all();
    f.pass(200ms);
    CHECK(f.names() == "");
    CHECK(f.is_gone("s1", EndReason::kEnded));
  }
}

TEST_CASE("Desks that were cut off") {
  Policy policy = policy_with(OnLimit::kDeny, 2);
  policy.lease = std::chrono::hours(12);
  DesksFixture f(policy);
  f.start(f.a, "s1");
  f.start(f.a, "s2");
  f.cut_off(f.a);
  f.pass(2s);
  f.ask<Ended>(f.b, End{id("u"), id("s1")});
  const auto hours_pass = [&f](int hours) {
    for (int passed = 0; passed < hours; passed += 9) {
      f.clock.tick(std::chrono::hours(9));
      for (const char* session : {"s1", "s2"}) CHECK(f.beat(f.a, session).degraded);
      if (f.names().find("s3") != std::string::npos) f.beat(f.b, "s3");
    }
  };

  SUBCASE("for less than a day bring everybody back who was not removed meanwhile") {
    f.ask<Ended>(f.b, End{id("u"), id("s2")});
    f.memory.hashes[kKey].erase("gs2");
    f.start(f.b, "s3");
    hours_pass(18);
    f.start(f.b, "s4");
    f.reconnect(f.a);
    CHECK(f.beat(f.a, "s2").renewed);
    CHECK(f.names() == "s2 s3 s4");
  }
  SUBCASE(
      "for more than a day bring back whom the rules let in: nobody knows of removals any more") {
    f.ask<Ended>(f.b, End{id("u"), id("s2")});
    f.start(f.b, "s3");
    hours_pass(27);
    f.start(f.b, "s4");
    CHECK_FALSE(f.is_gone("s1", EndReason::kEnded));
    f.reconnect(f.a);
    f.ask<Unknown>(f.a, Heartbeat{id("u"), id("s1")});
    CHECK(f.denied(f.a, "s2").active == 2);
    CHECK(f.names() == "s3 s4");
  }
  SUBCASE(
      "for more than a day bring everybody back to an engine that was emptied, up to the limit") {
    f.memory.hashes.clear();
    hours_pass(27);
    f.start(f.b, "s3");
    f.reconnect(f.a);
    CHECK(f.beat(f.a, "s1").renewed);
    CHECK(f.names() == "s1 s3");
  }
}

TEST_CASE("Desks end what is over though nobody asks") {
  DesksFixture f;
  f.start(f.a, "s1");
  f.clock.tick(90s);
  f.pass(200ms);
  CHECK(f.names() == "");
  CHECK(f.is_gone("s1", EndReason::kExpired));
  CHECK(f.a.count(EventKind::kExpired) == 1);
  CHECK(f.a.served.users() == 0);
}

TEST_CASE("Desks: what operators say of a user holds at each box") {
  DesksFixture fixture;
  SUBCASE("a block, with what is said, until it is over") {
    fixture.start(fixture.a, "s1");
    const auto shown = fixture.ask<UserBlock>(fixture.a, SetBlock{id("u"), 10min, "Not today."});
    CHECK(shown.blocked);
    const auto refused = fixture.ask<Blocked>(fixture.b, Start{id("u"), id("s2")});
    CHECK(refused.message == "Not today.");
    CHECK(*refused.retry_after <= 10min);
    CHECK(fixture.beat(fixture.b, "s1").renewed);
    CHECK(fixture.ask<UserSessions>(fixture.b, ListUser{id("u")}).blocked);
    fixture.clock.tick(10min + 1s);  // boxes know the engine's clock to a round trip or two
    fixture.start(fixture.b, "s2");
    CHECK_FALSE(fixture.known().block.has_value());
  }
  SUBCASE("a block is lifted by another box") {
    fixture.ask<UserBlock>(fixture.a, SetBlock{id("u"), {}, ""});
    CHECK_FALSE(fixture.ask<UserBlock>(fixture.b, Unblock{id("u")}).blocked);
    fixture.start(fixture.a, "s1");
  }
  SUBCASE("a block that a box brings along holds where there is none") {
    fixture.ask<UserBlock>(fixture.a, SetBlock{id("u"), 1h, "The fleet's."});
    bool done = false;
    fixture.b.desks.submit_where_unset(SetBlock{id("u"), {}, "The box's."}, fixture.clock.now(),
                                       [&done](Result<Answer>&& answer) {
                                         REQUIRE(answer.has_value());
                                         done = true;
                                       });
    for (int i = 0; i < 60 && !done; ++i) fixture.tick();
    CHECK(fixture.known().block->message == "The fleet's.");
    fixture.ask<UserBlock>(fixture.a, Unblock{id("u")});
    done = false;
    fixture.b.desks.submit_where_unset(SetBlock{id("u"), {}, "The box's."}, fixture.clock.now(),
                                       [&done](Result<Answer>&&) { done = true; });
    for (int i = 0; i < 60 && !done; ++i) fixture.tick();
    CHECK(fixture.known().block->message == "The box's.");
  }
  SUBCASE("a block holds while the engine is away, and cannot be set then") {
    fixture.ask<UserBlock>(fixture.a, SetBlock{id("u"), {}, "Not today."});
    fixture.cut_off(fixture.a);
    CHECK(fixture.ask<Blocked>(fixture.a, Start{id("u"), id("s1")}).degraded);
    CHECK(fixture.refused(fixture.a, Unblock{id("u")}) == ErrorKind::kUnavailable);
  }
  SUBCASE("what a viewer is told, whoever ended the session") {
    fixture.start(fixture.a, "s1");
    fixture.start(fixture.a, "s2");
    fixture.ask<Ended>(fixture.b, End{id("u"), id("s1"), {}, "Good night."});
    fixture.ask<Purged>(fixture.b, Purge{.user = id("u"), .message = "Please call us."});
    CHECK(fixture.ask<Gone>(fixture.a, Heartbeat{id("u"), id("s1")}).message == "Good night.");
    CHECK(fixture.ask<Gone>(fixture.a, Heartbeat{id("u"), id("s2")}).message == "Please call us.");
  }
}

TEST_CASE("Desks: a session's age counts from its start, at each box") {
  Policy policy = unthrottled();
  policy.longest = 5min;
  DesksFixture fixture(policy);
  const WallTime latest = fixture.start(fixture.a, "s1").expires_at + 210s;
  for (int i = 0; i < 9; ++i) {
    fixture.clock.tick(30s);
    CHECK(fixture.beat(i % 2 == 0 ? fixture.b : fixture.a, "s1").expires_at <= latest);
  }
  fixture.clock.tick(31s);
  CHECK(fixture.ask<Gone>(fixture.b, Heartbeat{id("u"), id("s1")}).reason == EndReason::kExpired);
}

TEST_CASE("Desks: a session is let in above the limit for a while, at each box") {
  Policy policy = policy_with(OnLimit::kDeny, 1);
  policy.overlap = 5s;
  DesksFixture fixture(policy);
  fixture.start(fixture.a, "s1");
  const Granted granted = fixture.start(fixture.b, "s2");
  REQUIRE(granted.grace_ends_at);
  CHECK(fixture.beat(fixture.b, "s2").grace_ends_at == granted.grace_ends_at);
  CHECK(fixture.ask<UserSessions>(fixture.a, ListUser{id("u")}).sessions.at(1).grace_ends_at);
  fixture.ask<Denied>(fixture.a, Start{id("u"), id("s3")});
  SUBCASE("and ends though nobody asks, and each box knows why") {
    fixture.pass(7s);
    CHECK(fixture.b.count(EventKind::kDenied) == 1);
    for (DesksBox* const box : {&fixture.a, &fixture.b}) {
      CHECK(fixture.ask<Gone>(*box, Heartbeat{id("u"), id("s2")}).reason == EndReason::kDenied);
    }
    SUBCASE("and none is let in so by any of them, for twice as long") {
      fixture.ask<Denied>(fixture.a, Start{id("u"), id("s3")});
      fixture.pass(10s);
      CHECK(fixture.start(fixture.a, "s3").grace_ends_at);
    }
  }
  SUBCASE("and ends at the first look of another box, which tells the one that serves it") {
    fixture.clock.tick(6s);
    CHECK(fixture.ask<UserSessions>(fixture.a, ListUser{id("u")}).active == 1);
    REQUIRE(fixture.a.told.size() == 1);
    CHECK(fixture.a.told.front() == std::pair<std::uint64_t, std::string>(2, "u"));
    fixture.b.desks.sync("u");
    fixture.run();
    CHECK(fixture.b.count(EventKind::kDenied) == 1);
  }
  SUBCASE("and stays where the other ended, which the row says no more") {
    fixture.ask<Ended>(fixture.a, End{id("u"), id("s1")});
    fixture.pass(7s);
    CHECK_FALSE(fixture.beat(fixture.a, "s2").grace_ends_at);
    CHECK(fixture.b.count(EventKind::kStarted) == 2);
  }
  SUBCASE("and is judged by the box that has it, while the engine is away") {
    fixture.cut_off(fixture.b);
    fixture.clock.tick(6s);
    const Gone gone = fixture.ask<Gone>(fixture.b, Heartbeat{id("u"), id("s2")});
    CHECK(gone.reason == EndReason::kDenied);
    CHECK(gone.degraded);
    fixture.reconnect(fixture.b);
    CHECK(fixture.ask<UserSessions>(fixture.a, ListUser{id("u")}).active == 1);
  }
}
