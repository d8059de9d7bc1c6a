#include "engine/engine.hpp"

#include "support/engine_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;
using engine::Ack;
using engine::Address;
using engine::Change;
using engine::ChangeOutcome;
using engine::Engine;
using engine::EngineConfig;
using engine::KeysOutcome;
using engine::ReadOutcome;
using engine::WalkPosition;
using Door = FakeServers::Door;
using Kind = ChangeOutcome::Result;

namespace {

// Keys in a slot of each primary, the first in slot 0.
std::string key_at(engine::Slot slot) { return "u:{" + std::string(engine::tag_of(slot)) + "}"; }
const std::string kOfFirst = key_at(0);
const std::string kOfSecond = key_at(6000);

std::string moved(const Address& to, engine::Slot slot = 0) {
  return error("MOVED " + std::to_string(slot) + " " + to_text(to));
}
std::string ask(const Address& to, engine::Slot slot = 0) {
  return error("ASK " + std::to_string(slot) + " " + to_text(to));
}

struct Fixture : EngineFixture {
  explicit Fixture(Ack ack = Ack::kPrimary, bool cluster = true) {
    if (cluster) servers.all_slots = three_primaries();
    config.seeds = {kFirst, kSecond};
    config.prefix = "concur:";
    config.ack = ack;
  }

  // Until it has connected to all.
  void begin() {
    engine = std::make_unique<Engine>(turn, clock, servers, config);
    for (int i = 0; i < 3; ++i) tick();
  }
  void tick() {
    clock.tick(Engine::kTick);
    engine->tick();
    run();
  }
  void pass(Millis time) {
    for (Millis passed{0}; passed < time; passed += Engine::kTick) tick();
  }

  void change(const Change& change, Millis patience = 1000ms) {
    engine->change(change, clock.now().instant + patience,
                   [this](ChangeOutcome&& outcome) { changes.push_back(std::move(outcome)); });
  }
  void change(const std::string& key, Millis patience = 1000ms) {
    change(Change{.key = key, .guards = {}, .fields = {{"v", "1"}}}, patience);
    run();
  }
  void beat(const std::string& key) {
    change(Change{.key = key,
                  .guards = {},
                  .fields = {{"l", "1"}},
                  .despite_full_memory = true,
                  .acknowledged = false});
    run();
  }
  void read(const std::string& key) {
    engine->read(key, {}, clock.now().instant + 1000ms,
                 [this](ReadOutcome&& outcome) { reads.push_back(std::move(outcome)); });
    run();
  }
  void walk(WalkPosition from) {
    engine->keys(from, clock.now().instant + 1000ms,
                 [this](KeysOutcome&& outcome) { walked.push_back(std::move(outcome)); });
    run();
  }
  void answer(const std::string& reply, std::size_t which = 0) {
    servers.answer(reply, which);
    run();
  }
  // Where the oldest held command went.
  const Address& asked() const { return servers.held.front().end->address; }
  // The only outcome so far, which is taken.
  ChangeOutcome outcome() {
    REQUIRE(changes.size() == 1);
    ChangeOutcome only = std::move(changes.front());
    changes.clear();
    return only;
  }

  EngineConfig config;
  std::unique_ptr<Engine> engine;
  std::vector<ChangeOutcome> changes;
  std::vector<ReadOutcome> reads;
  std::vector<KeysOutcome> walked;
};

}  // namespace

TEST_CASE("Engine begins") {
  Fixture f;

  SUBCASE("with nothing before the first tick, then two connections to each primary") {
    f.engine = std::make_unique<Engine>(f.turn, f.clock, f.servers, f.config);
    f.run();
    CHECK(f.servers.dials.empty());
    f.begin();
    for (const Address& address : {kFirst, kSecond, kThird}) {
      CHECK(f.servers.open_ends(address).size() == 2);
    }
    CHECK(f.engine->health().whole);
    CHECK(f.engine->health().primaries.size() == 3);
    CHECK(f.servers.commands.empty());
  }
  SUBCASE("with what was asked before anything is known") {
    f.engine = std::make_unique<Engine>(f.turn, f.clock, f.servers, f.config);
    f.change(kOfFirst);
    for (int i = 0; i < 3; ++i) f.tick();
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("with any seed, though another swallows everything") {
    f.servers.doors[kFirst] = Door::kSilent;
    f.begin();
    CHECK(f.servers.open_ends(kSecond).size() == 2);
    f.change(kOfSecond);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("by refusing what it cannot place, after the patience once and at once from then on") {
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.doors[kSecond] = Door::kRefuses;
    f.begin();
    f.change(kOfFirst, 5000ms);
    f.pass(900ms);
    CHECK(f.changes.empty());
    f.pass(200ms);
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK_FALSE(outcome.repeated);
    CHECK(outcome.cause == "10.0.0.1:6379: Connection refused; 10.0.0.2:6379: Connection refused");
    f.change(kOfFirst, 5000ms);
    CHECK(f.outcome().result == Kind::kUnavailable);
    CHECK(f.engine->health().trouble == outcome.cause);
    f.servers.doors.clear();
    f.pass(1500ms);
    f.change(kOfFirst);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("and asks at most four times a second") {
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.doors[kSecond] = Door::kRefuses;
    f.begin();
    const auto before = f.engine->counters().surveys;
    f.pass(10s);
    CHECK(f.engine->counters().surveys - before <= 40);
    CHECK(f.engine->counters().surveys - before >= 30);
  }
}

TEST_CASE("Engine asks") {
  Fixture f;
  f.begin();

  SUBCASE("the owner of the key's slot, by a script that it has") {
    f.change(Change{.key = kOfSecond,
                    .guards = {{"v", "old"}},
                    .fields = {{"v", "new"}},
                    .not_after = WallTime(Millis(5))});
    f.run();
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == kSecond);
    CHECK(f.servers.held.front().words ==
          Words{"EVALSHA", FakeServers::script_name(engine::Script::kChange), "1", kOfSecond, "5",
                "0", "0", "1", "0", "1", "0", "v", "old", "v", "new"});
    f.answer(guarded({"v", "other", "s1", ""}));
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kGuarded);
    CHECK_FALSE(outcome.repeated);
    CHECK(outcome.now == WallTime(Millis(kEngineTime)));
    CHECK(outcome.fields == engine::Fields{{"v", "other"}, {"s1", ""}});
  }
  SUBCASE("all of a turn in one write for each connection") {
    const auto ends = f.servers.open_ends();
    std::vector<std::size_t> before;
    for (const auto& end : ends) before.push_back(end->writes);
    f.turn.run([&] {
      for (int i = 0; i < 10; ++i) {
        f.change(Change{.key = kOfFirst, .guards = {}, .fields = {{"v", "1"}}});
        f.engine->read(kOfFirst, {}, f.clock.now().instant + 1s, [](ReadOutcome&&) {});
      }
    });
    f.run();
    CHECK(f.servers.held.size() == 20);
    std::size_t writes = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      CHECK(ends[i]->writes - before[i] <= 1);
      writes += ends[i]->writes - before[i];
    }
    CHECK(writes == 2);
  }
  SUBCASE("reads, and changes that need no replica, over another connection than changes") {
    f.change(kOfFirst);
    f.beat(kOfFirst);
    f.read(kOfFirst);
    REQUIRE(f.servers.held.size() == 3);
    const auto end_of = [&](engine::Script script) {
      const auto of = std::ranges::find_if(f.servers.held, [&](const FakeServers::Held& held) {
        return held.words[1] == FakeServers::script_name(script);
      });
      REQUIRE(of != f.servers.held.end());
      return of->end;
    };
    CHECK(end_of(engine::Script::kRead) == end_of(engine::Script::kChangeDespiteFull));
    CHECK(end_of(engine::Script::kRead) != end_of(engine::Script::kChange));
  }
  SUBCASE("reads fields") {
    f.read(kOfFirst);
    f.answer(found({"a", "1"}));
    REQUIRE(f.reads.size() == 1);
    CHECK(f.reads[0].available);
    CHECK(f.reads[0].fields == engine::Fields{{"a", "1"}});
  }
  SUBCASE("and learns the engine's clock from the answers") {
    CHECK_FALSE(f.engine->clock_of(kOfFirst).has_value());
    f.change(kOfFirst);
    f.clock.tick(10ms);
    f.answer(applied());
    const auto bounds = f.engine->clock_of(kOfFirst);
    REQUIRE(bounds.has_value());
    CHECK(bounds->latest - bounds->earliest == 12ms);
    CHECK_FALSE(f.engine->clock_of(kOfSecond).has_value());
  }
  SUBCASE("and passes late changes and a full memory on as such") {
    f.change(kOfFirst);
    f.answer(late());
    CHECK(f.outcome().result == Kind::kLate);
    f.change(kOfFirst);
    f.answer(error("OOM command not allowed when used memory > 'maxmemory'."));
    CHECK(f.outcome().result == Kind::kFull);
  }
  SUBCASE("and takes answers that are split at every byte") {
    f.servers.piece = 1;
    f.change(kOfFirst);
    f.answer(guarded({"v", "x"}));
    CHECK(f.outcome().result == Kind::kGuarded);
    f.change(kOfFirst);
    f.answer(moved(kSecond));
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
}

TEST_CASE("Engine follows") {
  Fixture f;
  f.begin();

  SUBCASE("MOVED, now and from then on, and asks who owns what") {
    const auto surveys = f.engine->counters().surveys;
    f.servers.all_slots = array({array({integer(0), integer(16383), server(kSecond)})});
    f.change(kOfFirst);
    f.answer(moved(kSecond));
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == kSecond);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
    CHECK_FALSE(f.changes.size() > 0);
    f.change(kOfFirst);
    CHECK(f.asked() == kSecond);
    f.answer(applied());
    f.pass(300ms);
    CHECK(f.engine->counters().surveys > surveys);
    CHECK(f.engine->counters().moved == 1);
    f.change(key_at(12000));
    CHECK(f.asked() == kSecond);
  }
  SUBCASE("MOVED to a server that nobody has named yet") {
    const Address fresh{"10.0.0.9", 7000};
    f.change(kOfFirst);
    f.answer(moved(fresh));
    f.tick();
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == fresh);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("ASK this once, as a pair with ASKING") {
    f.change(kOfFirst);
    f.answer(ask(kThird));
    CHECK(f.servers.held_words() == Words{"ASKING", "EVALSHA"});
    CHECK(f.asked() == kThird);
    f.answer(status("OK"));
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
    f.change(kOfFirst);
    CHECK(f.servers.held_words() == Words{"EVALSHA"});
    CHECK(f.asked() == kFirst);
    CHECK(f.engine->counters().asked == 1);
  }
  SUBCASE("ASK only for the one attempt: what the other server refuses begins anew") {
    f.change(kOfFirst);
    f.answer(ask(kThird));
    f.answer(status("OK"));
    f.answer(error("TRYAGAIN Multiple keys request during rehashing of slot"));
    f.pass(100ms);
    CHECK(f.servers.held_words() == Words{"EVALSHA"});
    CHECK(f.asked() == kFirst);
  }
  SUBCASE("NOSCRIPT by the script's source") {
    f.change(kOfFirst);
    f.answer(error("NOSCRIPT No matching script. Please use EVAL."));
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.servers.held.front().words[0] == "EVAL");
    CHECK(f.servers.held.front().words[1] == engine::source_of(engine::Script::kChange));
    CHECK(f.servers.held.front().words[3] == kOfFirst);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("redirects in a circle ever more slowly, until the deadline") {
    f.servers.script = [](const FakeServers::End& end, const Words&) {
      return moved(end.address == kFirst ? kSecond : kFirst);
    };
    f.change(kOfFirst, 900ms);
    f.pass(850ms);
    CHECK(f.changes.empty());
    CHECK(f.servers.commands.size() < 20);
    f.pass(100ms);
    CHECK(f.outcome().result == Kind::kUnavailable);
  }
  SUBCASE("no redirect that makes no sense") {
    for (const std::string& reply :
         {moved(kSecond, 1), error("MOVED 0"), error("MOVED 99999 a:1"), error("ASK x y")}) {
      CAPTURE(reply);
      f.change(kOfFirst);
      f.answer(reply);
      CHECK(f.outcome().result == Kind::kUnavailable);
    }
  }
}

TEST_CASE("Engine tries again") {
  Fixture f;
  f.begin();

  SUBCASE("a little later what a server cannot do just now, the same to the byte") {
    for (const char* refusal :
         {"LOADING Redis is loading the dataset in memory", "CLUSTERDOWN Hash slot not served",
          "TRYAGAIN Multiple keys request during rehashing of slot",
          "BUSY Redis is busy running a script.", "MASTERDOWN Link with MASTER is down"}) {
      CAPTURE(refusal);
      Fixture g;
      g.begin();
      g.change(kOfFirst);
      const Words before = g.servers.held.front().words;
      g.answer(error(refusal));
      CHECK(g.servers.held.empty());
      g.pass(200ms);
      REQUIRE(g.servers.held.size() == 1);
      CHECK(g.servers.held.front().words == before);
      g.answer(applied());
      const ChangeOutcome outcome = g.outcome();
      CHECK(outcome.result == Kind::kApplied);
      CHECK_FALSE(outcome.repeated);
    }
  }
  SUBCASE("over a new connection what a server says that it is no primary for") {
    const auto dials = f.servers.dials[kFirst];
    f.change(kOfFirst);
    f.answer(error("READONLY You can't write against a read only replica."));
    CHECK(f.servers.open_ends(kFirst).empty());
    f.pass(200ms);
    CHECK(f.servers.dials[kFirst] >= dials + 2);
    REQUIRE(f.servers.held.size() == 1);
    f.answer(applied());
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kApplied);
    CHECK_FALSE(outcome.repeated);
    CHECK(f.engine->counters().read_only == 1);
  }
  SUBCASE("what a connection was lost with, and says that it may be there already") {
    f.change(kOfFirst);
    f.servers.close(kFirst);
    f.pass(200ms);
    REQUIRE(f.servers.held.size() == 1);
    f.answer(guarded({"v", "1"}));
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kGuarded);
    CHECK(outcome.repeated);
  }
  SUBCASE("what was not sent yet, without saying so") {
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.close(kFirst);
    f.run();
    f.change(kOfFirst);
    f.servers.doors.clear();
    f.pass(200ms);
    f.answer(applied());
    CHECK_FALSE(f.outcome().repeated);
  }
  SUBCASE("an answer that was cut at any byte") {
    const std::string whole = guarded({"v", "1"});
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      Fixture g;
      g.begin();
      g.change(kOfFirst);
      g.servers.send(g.servers.held.front().end, whole.substr(0, size));
      g.servers.close(kFirst);
      g.pass(200ms);
      CHECK(g.changes.empty());
      g.answer(applied());
      const ChangeOutcome outcome = g.outcome();
      CHECK(outcome.result == Kind::kApplied);
      CHECK(outcome.repeated);
    }
  }
  SUBCASE("what was answered with something else, over a new connection") {
    for (const std::string& reply :
         {integer(1), status("OK"), nil(), array({}), applied(0), array({integer(7), integer(1)}),
          found({"v"}), std::string("what?\r\n")}) {
      CAPTURE(reply);
      Fixture g;
      g.begin();
      g.change(kOfFirst);
      g.answer(reply);
      CHECK(g.changes.empty());
      g.pass(200ms);
      g.answer(applied());
      CHECK(g.outcome().result == Kind::kApplied);
    }
  }
  SUBCASE("nothing that a server refuses for good") {
    for (const char* refusal :
         {"MISCONF Redis is configured to save RDB snapshots",
          "NOREPLICAS Not enough good replicas to write.", "NOPERM this user has no permissions",
          "ERR unknown command 'EVALSHA'", "WRONGTYPE Operation against",
          "NOAUTH Authentication required."}) {
      CAPTURE(refusal);
      f.pass(2s);
      f.change(kOfFirst);
      f.answer(error(refusal));
      const ChangeOutcome outcome = f.outcome();
      CHECK(outcome.result == Kind::kUnavailable);
      CHECK_FALSE(outcome.repeated);
      CHECK(outcome.cause == "10.0.0.1:6379 answers: " + std::string(refusal));
    }
  }
  SUBCASE("until the deadline, to the tick") {
    f.change(kOfFirst, 500ms);
    f.pass(475ms);
    CHECK(f.changes.empty());
    f.pass(25ms);
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK(outcome.repeated);
    CHECK(outcome.cause == "10.0.0.1:6379 has not answered in time");
    f.answer(applied());
    CHECK(f.changes.empty());
    f.change(kOfFirst);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
}

TEST_CASE("Engine's breaker") {
  Fixture f;
  f.begin();
  // The first primary stops; all that reaches it stays unanswered.
  const auto stop = [&] {
    f.servers.doors[kFirst] = Door::kSilent;
    f.change(kOfFirst, 10s);
  };

  SUBCASE("opens when the oldest command is as old as the patience, and fails all others with it") {
    stop();
    f.pass(500ms);
    f.change(kOfFirst, 10s);
    f.read(kOfFirst);
    f.pass(475ms);
    CHECK(f.changes.empty());
    f.pass(25ms);
    REQUIRE(f.changes.size() == 2);
    CHECK(f.reads.size() == 1);
    CHECK(f.changes[0].result == Kind::kUnavailable);
    CHECK(f.changes[0].repeated);
    CHECK(f.changes[0].cause == "10.0.0.1:6379 is not asked: it does not answer");
  }
  SUBCASE("that is open fails what comes at once, of its primary alone") {
    stop();
    f.pass(1s);
    f.changes.clear();
    f.change(kOfFirst, 10s);
    CHECK(f.changes.size() == 1);
    CHECK_FALSE(f.outcome().repeated);
    f.change(kOfSecond);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
    const auto health = f.engine->health();
    CHECK_FALSE(health.whole);
    CHECK_FALSE(health.primaries[0].up);
    CHECK(health.primaries[1].up);
  }
  SUBCASE("closes by a change of a key of its own, one at a time") {
    stop();
    f.pass(1s);
    f.changes.clear();
    f.servers.doors.clear();
    f.pass(200ms);
    REQUIRE(f.servers.held.size() == 1);
    const Words trial = f.servers.held.front().words;
    CHECK(trial[1] == FakeServers::script_name(engine::Script::kChangeDespiteFull));
    CHECK(trial[3].starts_with("concur:probe:{"));
    CHECK(engine::slot_of(trial[3]) <= 5460);
    f.pass(500ms);
    CHECK(f.servers.held.size() == 1);
    f.change(kOfFirst);
    CHECK(f.outcome().result == Kind::kUnavailable);
    f.answer(applied());
    f.change(kOfFirst);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("stays open while trials fail: refused, unanswered, lost") {
    stop();
    f.pass(1s);
    f.changes.clear();
    f.servers.doors.clear();
    f.pass(200ms);
    REQUIRE(f.servers.held.size() == 1);
    f.answer(error("CLUSTERDOWN The cluster is down"));
    f.change(kOfFirst);
    CHECK(f.outcome().result == Kind::kUnavailable);
    f.pass(200ms);
    REQUIRE(f.servers.held.size() == 1);
    const auto end = f.servers.held.front().end;
    f.pass(1s);
    CHECK_FALSE(end->open);
    f.pass(300ms);
    f.servers.close(kFirst);
    f.pass(1s);
    f.change(kOfFirst);
    CHECK(f.outcome().result == Kind::kUnavailable);
    REQUIRE(f.servers.held.size() == 1);
    f.answer(applied());
    f.change(kOfFirst);
    CHECK(f.changes.empty());
  }
  SUBCASE("opens, too, for a primary that nobody asks and that cannot be connected to") {
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.close(kFirst);
    f.pass(1100ms);
    f.change(kOfFirst, 10s);
    CHECK(f.outcome().cause == "10.0.0.1:6379 is not asked: Connection refused");
  }
  SUBCASE("counts the time over attempts that the server refuses") {
    f.servers.script = [](const FakeServers::End& end, const Words&) -> std::optional<std::string> {
      if (end.address != kFirst) return std::nullopt;
      return error("LOADING Redis is loading the dataset in memory");
    };
    f.change(kOfFirst, 10s);
    f.pass(975ms);
    CHECK(f.changes.empty());
    f.pass(50ms);
    CHECK(f.changes.size() == 1);
  }
  SUBCASE("holds nobody up whom another server serves by now") {
    stop();
    f.pass(1s);
    f.changes.clear();
    f.servers.all_slots = array({array({integer(0), integer(16383), server(kSecond)})});
    f.pass(500ms);
    f.change(kOfFirst);
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == kSecond);
  }
}

TEST_CASE("Engine survives a failover") {
  Fixture f;
  f.begin();
  const Address successor{"10.0.0.4", 6379};
  const auto take_over = [&] {
    f.servers.all_slots = array({array({integer(0), integer(5460), server(successor)}),
                                 array({integer(5461), integer(16383), server(kSecond)})});
  };

  SUBCASE("with what waits for a primary that is gone") {
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.close(kFirst);
    f.run();
    f.change(kOfFirst);
    take_over();
    f.pass(600ms);
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == successor);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
  }
  SUBCASE("and forgets a primary that owns nothing any more") {
    take_over();
    f.servers.close(kFirst);
    f.pass(11s);
    CHECK(f.servers.open_ends(kFirst).empty());
    CHECK(f.engine->health().whole);
    CHECK(f.engine->health().primaries.size() == 2);
  }
}

TEST_CASE("Engine lets replicas acknowledge") {
  Fixture f(Ack::kReplica);
  f.begin();

  SUBCASE("by one WAIT behind the changes of a turn, over their connection") {
    f.turn.run([&] {
      f.change(Change{.key = kOfFirst, .guards = {}, .fields = {{"v", "1"}}});
      f.change(Change{.key = key_at(1), .guards = {}, .fields = {{"v", "1"}}});
    });
    f.run();
    CHECK(f.servers.held_words() == Words{"EVALSHA", "EVALSHA", "WAIT"});
    CHECK(f.servers.held.back().words == Words{"WAIT", "1", "250"});
    f.answer(applied());
    f.answer(applied());
    CHECK(f.changes.empty());
    f.answer(integer(1));
    REQUIRE(f.changes.size() == 2);
    CHECK(f.changes[0].replicated);
    CHECK(f.changes[1].replicated);
    CHECK(f.engine->counters().unacknowledged == 0);
  }
  SUBCASE("but what changed nothing does not wait") {
    f.change(kOfFirst);
    f.answer(guarded({}));
    CHECK(f.outcome().result == Kind::kGuarded);
    f.answer(integer(0));
    CHECK(f.changes.empty());
  }
  SUBCASE("nor do reads and beats") {
    f.beat(kOfFirst);
    f.read(kOfFirst);
    CHECK(f.servers.held_words() == Words{"EVALSHA", "EVALSHA"});
    f.answer(applied());
    CHECK_FALSE(f.outcome().replicated);
    CHECK(f.engine->counters().unacknowledged == 0);
  }
  SUBCASE("and takes the primary's word where none does in time") {
    f.change(kOfFirst);
    f.answer(applied());
    f.answer(integer(0));
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kApplied);
    CHECK_FALSE(outcome.replicated);
    CHECK(f.engine->counters().unacknowledged == 1);
  }
  SUBCASE("and after two shortfalls running asks now and then, of that primary") {
    for (int i = 0; i < 2; ++i) {
      f.change(kOfFirst);
      f.answer(applied());
      f.answer(integer(0));
    }
    f.changes.clear();
    CHECK(f.engine->health().primaries[0].short_of_replicas);
    f.change(kOfFirst);
    CHECK(f.servers.held_words() == Words{"EVALSHA"});
    f.answer(applied());
    CHECK_FALSE(f.outcome().replicated);
    f.change(kOfSecond);
    CHECK(f.servers.held_words() == Words{"EVALSHA", "WAIT"});
    f.answer(applied());
    f.answer(integer(1));
    CHECK(f.outcome().replicated);
    f.pass(2500ms);
    f.change(kOfFirst);
    CHECK(f.servers.held_words() == Words{"EVALSHA", "WAIT"});
    f.answer(applied());
    f.answer(integer(2));
    CHECK(f.outcome().replicated);
    f.change(kOfFirst);
    CHECK(f.servers.held_words() == Words{"EVALSHA", "WAIT"});
  }
  SUBCASE("and makes a change once more whose acknowledgement never comes") {
    for (const char* how :
         {"UNBLOCKED force unblock from blocking operation", "closed", "malformed"}) {
      CAPTURE(how);
      Fixture g(Ack::kReplica);
      g.begin();
      g.change(kOfFirst);
      g.answer(applied());
      const std::string what = how;
      if (what == "closed") {
        g.servers.close(kFirst);
      } else {
        g.answer(what == "malformed" ? integer(-1) : error(how));
      }
      g.pass(200ms);
      CHECK(g.changes.empty());
      CHECK(g.servers.held_words() == Words{"EVALSHA", "WAIT"});
      g.answer(guarded({"v", "1"}));
      const ChangeOutcome outcome = g.outcome();
      CHECK(outcome.result == Kind::kGuarded);
      CHECK(outcome.repeated);
    }
  }
  SUBCASE("and does not know what became of a change whose deadline comes first") {
    f.change(kOfFirst, 200ms);
    f.answer(applied());
    f.pass(200ms);
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK(outcome.repeated);
    f.answer(integer(1));
    CHECK(f.changes.empty());
  }
  SUBCASE("and says so where it may not ask") {
    f.change(kOfFirst);
    f.answer(applied());
    f.answer(error("NOPERM this user has no permissions to run the 'wait' command"));
    const ChangeOutcome outcome = f.outcome();
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK(outcome.repeated);
    CHECK(outcome.cause.starts_with("NOPERM"));
  }
  SUBCASE("of whoever made the change, behind an ASK") {
    f.change(kOfFirst);
    f.answer(ask(kThird));
    REQUIRE(f.servers.held.size() == 4);
    CHECK(f.servers.held_words() == Words{"WAIT", "ASKING", "EVALSHA", "WAIT"});
    CHECK(f.servers.held[3].end == f.servers.held[2].end);
    f.answer(integer(0));
    f.answer(status("OK"));
    f.answer(applied());
    CHECK(f.changes.empty());
    f.answer(integer(1));
    CHECK(f.outcome().replicated);
  }
}

TEST_CASE("Engine without cluster mode") {
  Fixture f(Ack::kPrimary, false);
  const std::string replica = array({bulk("slave"), bulk("10.0.0.1"), integer(6379)});
  f.servers.roles[kSecond] = replica;
  f.begin();

  SUBCASE("asks the primary for everything") {
    f.change(kOfSecond);
    CHECK(f.asked() == kFirst);
    f.answer(applied());
    CHECK(f.outcome().result == Kind::kApplied);
    CHECK(f.engine->health().whole);
  }
  SUBCASE("goes over to the new primary once the old one says that it is none") {
    f.servers.roles[kFirst] = replica;
    f.servers.roles.erase(kSecond);
    f.servers.script = [](const FakeServers::End& end, const Words&) -> std::optional<std::string> {
      if (end.address != kFirst) return std::nullopt;
      return error("READONLY You can't write against a read only replica.");
    };
    f.change(kOfFirst);
    f.pass(500ms);
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == kSecond);
  }
  SUBCASE("goes over to the new primary once the old one is gone") {
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.roles.erase(kSecond);
    f.servers.close(kFirst);
    f.run();
    f.change(kOfFirst);
    f.pass(500ms);
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == kSecond);
  }
  SUBCASE("stays with its primary though another one claims to be one, until it fails") {
    f.servers.roles.erase(kSecond);
    f.pass(5s);
    f.change(kOfFirst);
    CHECK(f.asked() == kFirst);
    f.answer(applied());
    f.changes.clear();
    f.servers.close(kFirst);
    f.pass(500ms);
    f.change(kOfFirst, 10s);
    f.pass(1100ms);
    CHECK(f.outcome().cause ==
          "10.0.0.1:6379 and 10.0.0.2:6379 both say that they are primaries: make one a replica of "
          "the other");
    f.servers.roles[kFirst] = replica;
    f.pass(1s);
    f.change(kOfFirst);
    CHECK(f.asked() == kSecond);
  }
  SUBCASE("begins a walk anew where another primary answers it in the end") {
    f.walk({});
    f.answer(array({bulk("7"), texts({"a"})}));
    f.walk(*f.walked[0].next);
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.roles.erase(kSecond);
    f.servers.close(kFirst);
    f.pass(500ms);
    REQUIRE(f.servers.held.size() == 1);
    CHECK(f.asked() == kSecond);
    f.answer(array({bulk("0"), texts({"b"})}));
    REQUIRE(f.walked.size() == 2);
    REQUIRE(f.walked[1].next.has_value());
    CHECK(f.walked[1].next->at == 0);
    CHECK(*f.walked[1].next != *f.walked[0].next);
  }
  SUBCASE("walks by a cursor, and begins anew with another primary") {
    f.walk({});
    CHECK(f.servers.held.front().words == Words{"SCAN", "0", "COUNT", "1000"});
    f.answer(array({bulk("7"), texts({"a", "b"})}));
    REQUIRE(f.walked.size() == 1);
    CHECK(f.walked[0].keys == Words{"a", "b"});
    REQUIRE(f.walked[0].next.has_value());
    f.walk(*f.walked[0].next);
    CHECK(f.servers.held.front().words[1] == "7");
    f.answer(array({bulk("0"), texts({})}));
    CHECK_FALSE(f.walked[1].next.has_value());
    const WalkPosition before = *f.walked[0].next;
    f.servers.doors[kFirst] = Door::kRefuses;
    f.servers.roles.erase(kSecond);
    f.servers.close(kFirst);
    f.pass(1s);
    f.walk(before);
    REQUIRE(f.walked.size() == 3);
    CHECK(f.walked[2].anew);
    f.walk(*f.walked[2].next);
    CHECK(f.servers.held.front().words[1] == "0");
  }
}

TEST_CASE("Engine walks a cluster") {
  Fixture f;
  f.begin();
  const auto nodes = [](const std::string& of_first, const std::string& epoch = "1") {
    return [of_first, epoch](const Address& address) {
      const std::string slots = address == kFirst    ? of_first
                                : address == kSecond ? "5461-10922"
                                                     : "10923-16383";
      return bulk("other 10.0.0.9:6379@1 slave x 0 0 7 connected\n" + to_text(address) + "id " +
                  to_text(address) + "@16379,h myself,master - 0 1795449600000 " + epoch +
                  " connected " + slots + "\n");
    };
  };
  const auto answer_nodes = [&f](const auto& say) {
    for (int i = 0; i < 3; ++i) {
      REQUIRE(f.servers.held.size() > 0);
      REQUIRE(f.servers.held[0].words == Words{"CLUSTER", "NODES"});
      f.answer(say(f.asked()));
    }
  };
  const auto still = nodes("0-5460");
  // Up to where the keys of the first primary are asked for.
  const auto begin = [&] {
    f.walk({});
    answer_nodes(still);
    REQUIRE(f.walked.size() == 1);
    REQUIRE(f.walked[0].next.has_value());
    CHECK(f.walked[0].keys.empty());
    f.walk(*f.walked[0].next);
  };
  const auto go_on = [&] { f.walk(*f.walked.back().next); };
  const auto scanned = [](const std::string& cursor, const Words& keys) {
    return array({bulk(cursor), texts(keys)});
  };

  SUBCASE("primary by primary, where nothing is moved before or after") {
    begin();
    const Address first = f.asked();
    CHECK(f.servers.held[0].words == Words{"SCAN", "0", "COUNT", "1000"});
    f.answer(scanned("5", {"a"}));
    CHECK(f.walked.back().keys == Words{"a"});
    go_on();
    CHECK(f.asked() == first);
    CHECK(f.servers.held[0].words[1] == "5");
    f.answer(scanned("0", {}));
    go_on();
    CHECK(f.asked() != first);
    f.answer(scanned("0", {"b"}));
    go_on();
    f.answer(scanned("0", {"c"}));
    answer_nodes(still);
    CHECK(f.walked.size() == 5);
    CHECK(f.walked.back().keys == Words{"c"});
    CHECK(f.walked.back().available);
    CHECK_FALSE(f.walked.back().next.has_value());
    CHECK_FALSE(f.walked.back().anew);
  }
  SUBCASE("by slots, where") {
    std::string of_first = "0-5460";
    SUBCASE("a slot is on its way") { of_first = "0-5460 [7->-abc]"; }
    SUBCASE("not all slots have an owner") { of_first = "0-5459"; }
    f.walk({});
    if (of_first == "0-5460") {
      SUBCASE("nobody may ask") {
        for (int i = 0; i < 3; ++i) f.answer(error("NOPERM no permissions"));
      }
      SUBCASE("a primary says that it is none") {
        for (int i = 0; i < 2; ++i) f.answer(still(f.asked()));
        f.answer(bulk("id 10.0.0.1:6379@16379 myself,slave x 0 0 1 connected\n"));
      }
    } else {
      answer_nodes(nodes(of_first));
    }
    REQUIRE(f.walked.size() == 1);
    CHECK(f.walked[0].next == WalkPosition::by_slots());
  }
  SUBCASE("anew by slots, where the end finds that") {
    std::string of_first = "0-5460";
    std::string epoch = "1";
    SUBCASE("a slot is on its way") { of_first = "0-5460 [93-<-abc]"; }
    SUBCASE("slots were moved there and back") { epoch = "2"; }
    begin();
    f.answer(scanned("0", {"a"}));
    for (int i = 0; i < 2; ++i) {
      go_on();
      f.answer(scanned("0", {"b"}));
    }
    answer_nodes(nodes(of_first, epoch));
    CHECK(f.walked.back().anew);
    CHECK(f.walked.back().keys.empty());
    CHECK(f.walked.back().next == WalkPosition::by_slots());
  }
  SUBCASE("anew by slots, where a connection was lost meanwhile: a cursor is the process's") {
    begin();
    f.answer(scanned("5", {"a"}));
    f.servers.close(kSecond);
    f.pass(1s);
    go_on();
    CHECK(f.walked.back().anew);
    CHECK(f.walked.back().next == WalkPosition::by_slots());
  }
  SUBCASE("anew by slots, where a slot has another owner by now") {
    begin();
    f.change(kOfFirst);
    f.answer(moved(kThird), 1);
    f.answer(scanned("5", {"a"}));
    CHECK(f.walked.back().anew);
    CHECK(f.walked.back().next == WalkPosition::by_slots());
  }
  SUBCASE("that it does not know yet, once it does") {
    Fixture later;
    later.engine = std::make_unique<Engine>(later.turn, later.clock, later.servers, later.config);
    later.walk({});
    for (int i = 0; i < 3; ++i) later.tick();
    later.answer(found({}));
    REQUIRE(later.servers.held.size() == 3);
    CHECK(later.servers.held[0].words == Words{"CLUSTER", "NODES"});
  }
  SUBCASE("or says why it cannot") {
    begin();
    f.answer(error("NOPERM no permissions"));
    REQUIRE(f.walked.size() == 2);
    CHECK_FALSE(f.walked[1].available);
    CHECK(f.walked[1].cause.find("NOPERM") != std::string::npos);
  }
}

TEST_CASE("Engine walks a cluster by slots") {
  Fixture f;
  f.begin();

  SUBCASE("slot by slot, and learns from a key that is not there whether one is moved") {
    f.walk(WalkPosition::by_slots());
    REQUIRE(f.servers.held.size() == 2);
    CHECK(f.servers.held[0].words == Words{"CLUSTER", "GETKEYSINSLOT", "0", "65536"});
    CHECK(f.servers.held[1].words[1] == FakeServers::script_name(engine::Script::kRead));
    CHECK(engine::slot_of(f.servers.held[1].words[3]) == 0);
    CHECK(f.servers.held[1].words[3].starts_with("concur:"));
    f.answer(texts({"a", "b"}));
    f.answer(found({}));
    REQUIRE(f.walked.size() == 1);
    CHECK(f.walked[0].keys == Words{"a", "b"});
    CHECK(f.walked[0].next == WalkPosition::by_slots(1));
  }
  SUBCASE("of a slot that is being moved both servers, the one first that it leaves") {
    f.walk(WalkPosition::by_slots());
    f.answer(texts({"a", "b"}));
    f.answer(ask(kThird));
    CHECK(f.servers.held_words() == Words{"CLUSTER", "ASKING", "EVALSHA"});
    CHECK(f.asked() == kThird);
    f.answer(texts({"c"}));
    f.answer(status("OK"));
    f.answer(found({}));
    REQUIRE(f.walked.size() == 1);
    CHECK(f.walked[0].keys == Words{"a", "b", "c"});
  }
  SUBCASE("of a slot that was moved the new owner alone") {
    f.walk(WalkPosition::by_slots());
    f.answer(texts({"a"}));
    f.answer(moved(kThird));
    CHECK(f.asked() == kThird);
    f.answer(texts({"b"}));
    f.answer(found({}));
    REQUIRE(f.walked.size() == 1);
    CHECK(f.walked[0].keys == Words{"b"});
  }
  SUBCASE("to the end") {
    f.walk(WalkPosition::by_slots(16383));
    f.answer(texts({}));
    f.answer(found({}));
    REQUIRE(f.walked.size() == 1);
    CHECK(f.walked[0].available);
    CHECK_FALSE(f.walked[0].next.has_value());
  }
  SUBCASE("or says why it cannot") {
    f.walk(WalkPosition::by_slots());
    f.answer(error("NOPERM no permissions"));
    REQUIRE(f.walked.size() == 1);
    CHECK_FALSE(f.walked[0].available);
    CHECK(f.walked[0].cause == "NOPERM no permissions");
    f.answer(found({}));
    CHECK(f.walked.size() == 1);
    f.walk(WalkPosition::by_slots());
    f.answer(integer(1));
    CHECK(f.walked.size() == 1);
    f.pass(1s);
    REQUIRE(f.walked.size() == 2);
    CHECK_FALSE(f.walked[1].available);
  }
}

TEST_CASE("Engine has bounds") {
  Fixture f;
  f.begin();

  SUBCASE("of what may be under way") {
    for (std::size_t i = 0; i <= engine::Lane::kMaxRequests; ++i) {
      f.change(Change{.key = kOfFirst, .guards = {}, .fields = {{"v", "1"}}});
    }
    REQUIRE(f.changes.size() == 1);
    CHECK(f.changes[0].cause == "too much is asked of 10.0.0.1:6379 already");
    f.changes.clear();
    f.change(Change{.key = kOfSecond, .guards = {}, .fields = {{"v", "1"}}});
    CHECK(f.changes.empty());
  }
  SUBCASE("of its bytes") {
    const std::string large(engine::Lane::kMaxBytes / 4, 'x');
    for (int i = 0; i < 4; ++i) {
      f.change(Change{.key = kOfFirst, .guards = {}, .fields = {{"v", large}}});
    }
    CHECK(f.changes.size() == 1);
  }
  SUBCASE("and each outcome when it closes") {
    f.change(kOfFirst);
    f.read(kOfSecond);
    f.servers.all_slots = array({array({integer(0), integer(1), server(kFirst)})});
    f.engine->close();
    REQUIRE(f.changes.size() == 1);
    REQUIRE(f.reads.size() == 1);
    CHECK(f.changes[0].repeated);
    CHECK(f.reads[0].cause == "the daemon stops");
  }
}
