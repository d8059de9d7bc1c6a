// The engine's client against real servers.
#include "client.hpp"
#include "servers.hpp"
#include "support/certificates.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;
using engine::Ack;
using engine::Change;
using engine::ChangeOutcome;
using engine::EngineConfig;
using engine::Expiry;
using engine::Fields;
using Kind = ChangeOutcome::Result;

namespace {

EngineConfig config_for(Servers& servers, Ack ack = Ack::kReplica) {
  EngineConfig config;
  for (std::size_t i = 0; i < servers.size(); ++i) config.seeds.push_back(servers[i].address());
  config.prefix = "t:";
  config.ack = ack;
  return config;
}

Change set(const std::string& key, const std::string& value = "1") {
  return {.key = key, .guards = {}, .fields = {{"v", value}}};
}

std::string key_at(engine::Slot slot, const std::string& name = "x") {
  return "t:" + name + "{" + std::string(engine::tag_of(slot)) + "}";
}

Fields sorted(Fields fields) {
  std::ranges::sort(fields, {}, &engine::Field::name);
  return fields;
}

}  // namespace

TEST_CASE("scripts on one server") {
  Servers servers;
  Server& server = servers.add();
  Client client(config_for(servers, Ack::kPrimary));
  client.run_until_whole();

  SUBCASE("compare and set: what does not hold changes nothing, and brings the whole hash") {
    const Change first{
        .key = "k", .guards = {{"v", std::nullopt}}, .fields = {{"v", "1"}, {"s", "a"}}};
    CHECK(client.change(first).result == Kind::kApplied);
    const ChangeOutcome again = client.change(first);
    CHECK(again.result == Kind::kGuarded);
    CHECK(sorted(again.fields) == Fields{{"s", "a"}, {"v", "1"}});
    const Change next{.key = "k",
                      .guards = {{"v", "1"}, {"s", "a"}, {"none", std::nullopt}},
                      .fields = {{"v", "2"}, {"s", std::nullopt}, {"t", std::string("\0\r\n", 3)}}};
    CHECK(client.change(next).result == Kind::kApplied);
    CHECK(sorted(client.read("k").fields) == Fields{{"t", std::string("\0\r\n", 3)}, {"v", "2"}});
    CHECK(client.read("k", {"v", "none"}).fields == Fields{{"v", "2"}});
    CHECK(client.read("other").fields.empty());
  }
  SUBCASE("a hash without fields is none") {
    client.change(set("k"));
    CHECK(client.change({.key = "k", .guards = {}, .fields = {{"v", std::nullopt}}}).result ==
          Kind::kApplied);
    CHECK(server.ask({"EXISTS", "k"}) == "0");
  }
  SUBCASE("what is late is not made any more, by the engine's clock") {
    const WallTime engine_now = client.read("k").now;
    Change change = set("k");
    change.not_after = engine_now - 1s;
    CHECK(client.change(change).result == Kind::kLate);
    CHECK(server.ask({"EXISTS", "k"}) == "0");
    change.not_after = engine_now + 60s;
    CHECK(client.change(change).result == Kind::kApplied);
  }
  SUBCASE("an expiry is for so long at least, and for twice as long at most") {
    const auto left = [&] { return std::stoll(server.ask({"PTTL", "k"})); };
    const auto change = [&](Expiry::Kind kind, Millis time) {
      Change made = set("k");
      made.expiry = {kind, time};
      REQUIRE(client.change(made).result == Kind::kApplied);
    };
    change(Expiry::Kind::kAsItIs, 0ms);
    CHECK(left() == -1);
    change(Expiry::Kind::kProlong, 10s);
    CHECK(left() == -1);
    change(Expiry::Kind::kAtLeast, 10s);
    CHECK(left() > 10'000);
    CHECK(left() <= 20'000);
    change(Expiry::Kind::kAtLeast, 1s);
    CHECK(left() > 10'000);
    change(Expiry::Kind::kProlong, 60s);
    CHECK(left() > 60'000);
    change(Expiry::Kind::kForGood, 0ms);
    CHECK(left() == -1);
  }
  SUBCASE("thousands of fields, in and out") {
    Change change{.key = "k", .guards = {}, .fields = {}};
    for (int i = 0; i < 3000; ++i)
      change.fields.push_back({"f" + std::to_string(i), std::string(100, 'x')});
    CHECK(client.change(change).result == Kind::kApplied);
    Change guarded = set("k");
    guarded.guards = {{"f7", std::nullopt}};
    const ChangeOutcome outcome = client.change(guarded);
    CHECK(outcome.result == Kind::kGuarded);
    CHECK(outcome.fields.size() == 3000);
  }
  SUBCASE("a key of another kind is left alone") {
    server.must({"SET", "k", "text"});
    Change change = set("k");
    CHECK(client.change(change).result == Kind::kUnavailable);
    change.guards = {{"v", std::nullopt}};
    const ChangeOutcome outcome = client.change(change);
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK(outcome.cause.find("WRONGTYPE") != std::string::npos);
    CHECK(server.ask({"GET", "k"}) == "text");
  }
  SUBCASE("arguments that are wrong are found before anything is written") {
    using Words = std::vector<std::string>;
    const std::string source(source_of(engine::Script::kChange));
    for (const Words& arguments :
         {Words{}, Words{"0", "0", "0", "0", "0", "1"}, Words{"0", "0", "0", "0", "0", "1", "0"},
          Words{"0", "0", "0", "0", "0", "1", "0", "f"},
          Words{"x", "0", "0", "0", "0", "1", "0", "f", "v"},
          Words{"0", "0", "-1", "0", "0", "1", "0", "f", "v"},
          Words{"0", "0", "0.5", "0", "0", "1", "0", "f", "v"},
          Words{"0", "0", "1e16", "0", "0", "1", "0", "f", "v"},
          Words{"0", "0", "nan", "0", "0", "1", "0", "f", "v"},
          Words{"0", "0", "0", "0", "0", "1", "0", "f", "v", "more"}}) {
      Words words{"EVAL", source, "1", "k"};
      words.insert(words.end(), arguments.begin(), arguments.end());
      CHECK(server.ask(words).starts_with("ERR argument"));
    }
    CHECK(server.ask({"EXISTS", "k"}) == "0");
  }
  SUBCASE("are sent again where the server has forgotten them") {
    server.must({"SCRIPT", "FLUSH"});
    CHECK(client.change(set("k")).result == Kind::kApplied);
    server.must({"SCRIPT", "FLUSH"});
    CHECK(client.read("k").available);
  }
  SUBCASE("in a full memory only what must be made is made") {
    client.change(set("k"));
    server.must({"CONFIG", "SET", "maxmemory", "1"});
    CHECK(client.change(set("k")).result == Kind::kFull);
    CHECK(client.read("k").available);
    Change must = set("k", "2");
    must.despite_full_memory = true;
    CHECK(client.change(must).result == Kind::kApplied);
  }
  SUBCASE("the clock of the engine is known") {
    client.read("k");
    const auto bounds = client.engine().clock_of("k");
    REQUIRE(bounds.has_value());
    const Now now = SystemClock().now();
    CHECK(bounds->earliest <= now.offset() + 1ms);
    CHECK(bounds->latest >= now.offset() - 1ms);
    CHECK(bounds->latest - bounds->earliest < 500ms);
  }
  SUBCASE(
      "a server that takes no writes for a while opens the breaker, though it answers all else") {
    server.must({"CLIENT", "PAUSE", "2500", "WRITE"});
    const Instant began = client.now();
    CHECK(client.change(set("k")).result == Kind::kUnavailable);
    CHECK(client.now() - began < 1500ms);
    CHECK(server.ask({"PING"}) == "PONG");
    const Instant then = client.now();
    CHECK(client.change(set("k")).result == Kind::kUnavailable);
    CHECK(client.now() - then < 100ms);
    client.run_until_whole();
    CHECK(client.change(set("k")).result == Kind::kApplied);
  }
  SUBCASE("what a stopped server executes on waking is not made when it is late") {
    const WallTime engine_now = client.read("k").now;
    server.stop();
    Change change = set("k");
    change.not_after = engine_now + 500ms;
    const ChangeOutcome outcome = client.change(change);
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK(outcome.repeated);
    server.go_on();
    client.run_until_whole();
    CHECK(server.ask({"EXISTS", "k"}) == "0");
  }
  SUBCASE("a server that was killed is there again when it is") {
    server.kill();
    CHECK(client.change(set("k")).result == Kind::kUnavailable);
    server.start();
    client.run_until_whole();
    CHECK(client.change(set("k")).result == Kind::kApplied);
  }
  SUBCASE("no replica is a shortfall, and after two of them nobody waits for it") {
    Client asking(config_for(servers, Ack::kReplica));
    asking.run_until_whole();
    for (int i = 0; i < 2; ++i) {
      const ChangeOutcome outcome = asking.change(set("k"));
      CHECK(outcome.result == Kind::kApplied);
      CHECK_FALSE(outcome.replicated);
    }
    const Instant then = asking.now();
    for (int i = 0; i < 5; ++i) asking.change(set("k"));
    CHECK(asking.now() - then < 1000ms);
    CHECK(asking.engine().counters().unacknowledged == 7);
  }
}

TEST_CASE("a primary and its replica without cluster mode") {
  Servers servers;
  Server& first = servers.add();
  Server& second = servers.add();
  const auto follow = [](Server& server, Server& primary) {
    server.must({"REPLICAOF", primary.host(), std::to_string(primary.port())});
  };
  follow(second, first);
  Cluster::wait_for_replica(second);
  Client client(config_for(servers));
  client.run_until_whole();
  CHECK(client.change(set("k", "1")).replicated);
  CHECK(second.ask({"HGET", "k", "v"}) == "1");

  SUBCASE("are followed when they change roles") {
    second.must({"REPLICAOF", "NO", "ONE"});
    follow(first, second);
    Cluster::wait_for_replica(first);
    CHECK(client.change(set("k", "2")).result == Kind::kApplied);
    CHECK(second.ask({"HGET", "k", "v"}) == "2");
  }
  SUBCASE("are followed by reads alone: a primary that was made a replica answers none") {
    follow(first, second);  // it is told nothing any more: nobody is its primary
    CHECK(first.ask({"HGET", "k", "v"}) == "1");
    const auto outcome = client.read("k");
    CHECK_FALSE(outcome.available);
    CHECK(outcome.cause.find("READONLY") != std::string::npos);
    second.must({"REPLICAOF", "NO", "ONE"});
    client.run_until_whole();
    CHECK(client.change(set("k", "2")).result == Kind::kApplied);
    CHECK(client.read("k").fields == Fields{{"v", "2"}});
  }
  SUBCASE("are walked by a cursor") {
    for (int i = 0; i < 3000; ++i) first.ask({"HSET", "t:" + std::to_string(i), "v", "1"});
    std::set<std::string> seen;
    engine::WalkPosition at;
    for (int calls = 0;; ++calls) {
      REQUIRE(calls < 100);
      const auto outcome = client.keys(at);
      REQUIRE(outcome.available);
      seen.insert(outcome.keys.begin(), outcome.keys.end());
      if (!outcome.next) break;
      at = *outcome.next;
    }
    CHECK(seen.size() == 3001);
  }
}

TEST_CASE("user, password and TLS") {
  Certificates certificates;
  const auto own = certificates.sign("server", "IP:127.0.0.1");
  Servers servers;
  const std::uint16_t tls_port = free_ports(1).front();
  Server& server = servers.add({"--tls-port", std::to_string(tls_port), "--tls-cert-file", own.cert,
                                "--tls-key-file", own.key, "--tls-ca-cert-file", certificates.ca(),
                                "--tls-auth-clients", "no"});
  server.must(
      {"ACL",   "SETUSER",      "edge",           "on",    ">secret", "~t:*",     "+evalsha",
       "+eval", "+script|load", "+cluster|slots", "+role", "+wait",   "+hget",    "+hset",
       "+hdel", "+hgetall",     "+hexists",       "+time", "+pttl",   "+pexpire", "+persist"});
  server.must({"ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*"});
  EngineConfig config;
  config.seeds = {{"127.0.0.1", tls_port}};
  config.prefix = "t:";
  config.ack = Ack::kPrimary;
  config.login = {"edge", "secret"};
  const auto context = engine::load_tls({certificates.ca(), "", ""});
  REQUIRE(context.has_value());

  SUBCASE("let in who has them, with no more rights than these") {
    Client client(config, *context);
    client.run_until_whole();
    CHECK(client.change(set("t:k")).result == Kind::kApplied);
    CHECK(client.read("t:k").fields == Fields{{"v", "1"}});
    CHECK(client.change(set("other")).cause.find("NOPERM") != std::string::npos);
  }
  SUBCASE("keep out who has not, and say why") {
    config.login.password = "wrong";
    Client client(config, *context);
    const ChangeOutcome outcome = client.change(set("t:k"));
    CHECK(outcome.result == Kind::kUnavailable);
    CHECK(outcome.cause.find("WRONGPASS") != std::string::npos);
    client.engine().renew({"edge", "secret"});
    client.run_until_whole();
    CHECK(client.change(set("t:k")).result == Kind::kApplied);
  }
  SUBCASE("keep out servers that are not vouched for") {
    Certificates others;
    Client client(config, *engine::load_tls({others.ca(), "", ""}));
    CHECK(client.change(set("t:k")).cause.find("its certificate is not accepted") !=
          std::string::npos);
  }
}

TEST_CASE("a cluster of three primaries and three replicas") {
  Cluster cluster;
  EngineConfig config = config_for(cluster);
  config.seeds.resize(1);
  Client client(config);
  client.run_until_whole();
  CHECK(client.engine().health().primaries.size() == 3);

  SUBCASE("has each key with its owner, on a replica too") {
    for (int i = 0; i < 300; ++i) {
      const ChangeOutcome outcome = client.change(set("t:" + std::to_string(i)));
      REQUIRE(outcome.result == Kind::kApplied);
      CHECK(outcome.replicated);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(std::stoi(cluster[i].ask({"DBSIZE"})) > 50);
      CHECK(cluster[i].ask({"DBSIZE"}) == cluster[i + 3].ask({"DBSIZE"}));
    }
    CHECK(client.engine().counters().moved == 0);

    for (const auto& from : {engine::WalkPosition(), engine::WalkPosition::by_slots()}) {
      std::multiset<std::string> seen;
      int calls = 0;
      for (engine::WalkPosition at = from;;) {
        const auto outcome = client.keys(at);
        REQUIRE(outcome.available);
        seen.insert(outcome.keys.begin(), outcome.keys.end());
        ++calls;
        if (!outcome.next) break;
        at = *outcome.next;
      }
      CHECK(seen.size() == 300);
      CHECK(calls == (from.is_by_slots() ? 16384 : 4));
    }
  }
  SUBCASE("is followed while a slot is moved, and walked") {
    const std::string id_of_first = cluster[0].ask({"CLUSTER", "MYID"});
    const std::string id_of_second = cluster[1].ask({"CLUSTER", "MYID"});
    REQUIRE(client.change(set(key_at(7, "stays"))).result == Kind::kApplied);
    cluster[1].must({"CLUSTER", "SETSLOT", "7", "IMPORTING", id_of_first});
    cluster[0].must({"CLUSTER", "SETSLOT", "7", "MIGRATING", id_of_second});
    // One that is not there any more is asked for at the new place, one that is there at the old.
    CHECK(client.change(set(key_at(7, "new"))).result == Kind::kApplied);
    CHECK(client.change(set(key_at(7, "stays"))).result == Kind::kApplied);
    CHECK(client.engine().counters().asked >= 1);
    CHECK(cluster[0].ask({"CLUSTER", "COUNTKEYSINSLOT", "7"}) == "1");
    CHECK(cluster[1].ask({"CLUSTER", "COUNTKEYSINSLOT", "7"}) == "1");
    const auto keys = client.keys(engine::WalkPosition::by_slots(7));
    CHECK(std::set<std::string>(keys.keys.begin(), keys.keys.end()) ==
          std::set<std::string>{key_at(7, "stays"), key_at(7, "new")});
    cluster[0].must({"MIGRATE", "127.0.0.1", std::to_string(cluster[1].port()), key_at(7, "stays"),
                     "0", "5000"});
    cluster[1].must({"CLUSTER", "SETSLOT", "7", "NODE", id_of_second});
    cluster[0].must({"CLUSTER", "SETSLOT", "7", "NODE", id_of_second});
    CHECK(client.change(set(key_at(7, "stays"), "2")).result == Kind::kApplied);
    CHECK(client.engine().counters().moved >= 1);
    CHECK(client.keys(engine::WalkPosition::by_slots(7)).keys.size() == 2);
  }
  SUBCASE(
      "is answered again after kill -9 of a primary, and nobody waits for longer than the "
      "patience") {
    const std::string key = key_at(7);
    REQUIRE(client.change(set(key)).replicated);
    cluster[0].kill();
    const Instant began = client.now();
    Millis longest{0};
    while (true) {
      const Instant asked = client.now();
      const ChangeOutcome outcome = client.change(set(key), 1000ms);
      longest = std::max(longest, client.now() - asked);
      if (outcome.result == Kind::kApplied) break;
      REQUIRE(client.now() - began < 20s);
      client.run_for(20ms);
    }
    const Millis took = client.now() - began;
    MESSAGE("a takeover took " << took.count() << " ms, the longest wait was " << longest.count()
                               << " ms");
    CHECK(took <= 2 * Cluster::kNodeTimeout + 3s);
    CHECK(longest < 1500ms);
    CHECK(client.read(key).fields == Fields{{"v", "1"}});
    CHECK(client.change(set(key_at(6000))).result == Kind::kApplied);
  }
  SUBCASE("keeps changes over a planned failover") {
    const std::string key = key_at(7);
    cluster[3].must({"CLUSTER", "FAILOVER"});
    for (int i = 0; i < 50; ++i) {
      CHECK(client.change(set(key, std::to_string(i))).result == Kind::kApplied);
      client.run_for(20ms);
    }
    CHECK(client.read(key).fields == Fields{{"v", "49"}});
    CHECK(cluster[0].ask({"INFO", "replication"}).find("role:slave") != std::string::npos);
  }
  SUBCASE("takes the primary's word for a while where a replica is frozen") {
    cluster[3].stop();
    const ChangeOutcome outcome = client.change(set(key_at(7)));
    CHECK(outcome.result == Kind::kApplied);
    CHECK_FALSE(outcome.replicated);
    cluster[3].go_on();
    client.run_for(1100ms);
    CHECK(client.change(set(key_at(7))).replicated);
  }
}
