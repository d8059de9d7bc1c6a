#include "fleet/check.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

using Severity = FleetFinding::Severity;
using Role = ServerFacts::Role;

// Servers of a cluster, three primaries on machines of their own and their replicas, set as the
// manual says.
FleetFacts well_set() {
  FleetFacts facts;
  facts.config.seeds = {{"10.0.0.1", 6379}, {"10.0.0.2", 6379}};
  facts.config.tls = true;
  facts.config.password_file = "/p";
  for (int i = 0; i < 6; ++i) {
    ServerFacts server;
    server.address = {"10.0.0." + std::to_string(1 + i % 3), 6379};
    server.is_seed = i < 2;
    server.in_cluster = true;
    server.user = "edge";
    server.info = {{"valkey_version", "8.1.0"},
                   {"redis_version", "7.2.4"},
                   {"maxmemory_policy", "noeviction"},
                   {"maxmemory", "1000000000"},
                   {"used_memory", "1000000"},
                   {"evicted_keys", "0"},
                   {"aof_enabled", "1"},
                   {"aof_last_write_status", "ok"},
                   {"rdb_last_bgsave_status", "ok"},
                   {"loading", "0"}};
    server.config = {{"min-replicas-to-write", "0"},
                     {"cluster-require-full-coverage", "no"},
                     {"cluster-node-timeout", "3000"},
                     {"hash-max-listpack-value", "512"},
                     {"hash-max-listpack-entries", "512"}};
    server.cluster = {{"cluster_state", "ok"}};
    server.clock = FleetStatus::ClockOffset{-2ms, 3ms};
    if (i < 3) {
      server.role = Role::kPrimary;
      server.replicas = {{"10.0.0." + std::to_string(1 + (i + 1) % 3), 6380}};
    } else {
      server.role = Role::kReplica;
      server.address.port = 6380;
      server.follows = true;
    }
    facts.servers.push_back(std::move(server));
  }
  return facts;
}

// One primary and its replica, without cluster mode.
FleetFacts well_set_single() {
  FleetFacts facts = well_set();
  facts.servers.erase(facts.servers.begin() + 1, facts.servers.begin() + 3);
  facts.servers.resize(2);
  facts.servers[1].is_seed = true;
  facts.config.seeds = {facts.servers[0].address, facts.servers[1].address};
  for (ServerFacts& server : facts.servers) server.in_cluster = false;
  return facts;
}

struct Flaw {
  const char* name;
  std::function<void(FleetFacts& facts)> make;
  Severity severity;
  const char* what;  // part of it
  const char* mend;  // part of a command or step
};

// Of the servers of a cluster.
const std::vector<Flaw> kFlaws = {
    {"wrong password", [](FleetFacts& f) { f.servers[0].failure = "WRONGPASS invalid username"; },
     Severity::kProblem, "the user or the password is wrong", "fleet-user"},
    {"no password", [](FleetFacts& f) { f.servers[0].failure = "NOAUTH Authentication required."; },
     Severity::kProblem, "a password is needed", "fleet-password-file"},
    {"certificate",
     [](FleetFacts& f) {
       f.servers[0].failure = "its certificate is not accepted: certificate has expired";
     },
     Severity::kProblem, "certificate has expired", "openssl s_client"},
    {"nobody listens", [](FleetFacts& f) { f.servers[0].failure = "Connection refused"; },
     Severity::kProblem, "nobody listens there", "systemctl start valkey-server"},
    {"no answer",
     [](FleetFacts& f) { f.servers[0].failure = "it did not accept the connection in time"; },
     Severity::kProblem, "nothing answers there", "firewall"},
    {"TLS on one side", [](FleetFacts& f) { f.servers[0].failure = "it closed the connection"; },
     Severity::kProblem, "closed at once", "valkeys://"},
    {"another failure", [](FleetFacts& f) { f.servers[0].failure = "odd"; }, Severity::kProblem,
     "it cannot be asked: odd", "log"},
    {"old",
     [](FleetFacts& f) {
       f.servers[0].info.erase("valkey_version");
       f.servers[0].info["redis_version"] = "6.2.14";
     },
     Severity::kProblem, "it is redis 6.2.14", "install a newer one"},
    {"evicts", [](FleetFacts& f) { f.servers[0].info["maxmemory_policy"] = "allkeys-lru"; },
     Severity::kProblem, "allkeys-lru",
     "valkey-cli -h 10.0.0.1 -p 6379 --tls --askpass CONFIG SET maxmemory-policy noeviction"},
    {"would evict",
     [](FleetFacts& f) {
       for (ServerFacts& server : f.servers) {
         server.info["maxmemory_policy"] = "volatile-ttl";
         server.info["maxmemory"] = "0";
       }
     },
     Severity::kWarning, "volatile-ttl", "noeviction"},
    {"has evicted", [](FleetFacts& f) { f.servers[0].info["evicted_keys"] = "7"; },
     Severity::kProblem, "thrown 7 keys away", "RESETSTAT"},
    {"no bound", [](FleetFacts& f) { f.servers[0].info["maxmemory"] = "0"; }, Severity::kNote,
     "no bound", "CONFIG SET maxmemory"},
    {"nearly full", [](FleetFacts& f) { f.servers[0].info["used_memory"] = "950000000"; },
     Severity::kWarning, "95 % of its memory", "CONFIG SET maxmemory 2000000000"},
    {"no append-only file", [](FleetFacts& f) { f.servers[0].info["aof_enabled"] = "0"; },
     Severity::kProblem, "appendonly no", "CONFIG SET appendonly yes"},
    {"cannot write", [](FleetFacts& f) { f.servers[0].info["aof_last_write_status"] = "err"; },
     Severity::kProblem, "cannot write its files", "CONFIG GET dir"},
    {"loads", [](FleetFacts& f) { f.servers[0].info["loading"] = "1"; }, Severity::kWarning,
     "still loading", "wait"},
    {"min-replicas", [](FleetFacts& f) { f.servers[0].config["min-replicas-to-write"] = "1"; },
     Severity::kProblem, "min-replicas-to-write", "CONFIG SET min-replicas-to-write 0"},
    {"min-replicas that may not be read",
     [](FleetFacts& f) {
       f.servers[0].config.clear();
       f.servers[0].info["min_slaves_good_slaves"] = "1";
     },
     Severity::kProblem, "min-replicas-to-write", "CONFIG SET min-replicas-to-write 0"},
    {"full coverage",
     [](FleetFacts& f) { f.servers[0].config["cluster-require-full-coverage"] = "yes"; },
     Severity::kProblem, "cluster-require-full-coverage yes",
     "CONFIG SET cluster-require-full-coverage no"},
    {"slow takeover", [](FleetFacts& f) { f.servers[0].config["cluster-node-timeout"] = "15000"; },
     Severity::kNote, "30 s after its primary is lost", "cluster-node-timeout 3000"},
    {"no replica", [](FleetFacts& f) { f.servers[0].replicas.clear(); }, Severity::kProblem,
     "no replica follows it", "--cluster add-node NEW:6379 10.0.0.1:6379 --cluster-slave"},
    {"no replica, and none is asked for",
     [](FleetFacts& f) {
       f.servers[0].replicas.clear();
       f.config.ack = engine::Ack::kPrimary;
     },
     Severity::kWarning, "no replica follows it", "add-node"},
    {"does not follow", [](FleetFacts& f) { f.servers[4].follows = false; }, Severity::kWarning,
     "does not follow its primary", "INFO replication"},
    {"neighbours", [](FleetFacts& f) { f.servers[0].replicas[0].host = "10.0.0.1"; },
     Severity::kWarning, "on the same machine", "CLUSTER REPLICATE"},
    {"small listpacks",
     [](FleetFacts& f) { f.servers[0].config["hash-max-listpack-value"] = "64"; },
     Severity::kWarning, "hash-max-listpack-value is 64", "CONFIG SET hash-max-listpack-value 512"},
    {"short listpacks",
     [](FleetFacts& f) { f.servers[0].config["hash-max-listpack-entries"] = "16"; },
     Severity::kWarning, "hash-max-listpack-entries is 16",
     "CONFIG SET hash-max-listpack-entries 512"},
    {"rights",
     [](FleetFacts& f) {
       f.servers[0].refused = {{"EVALSHA", "NOPERM no"}, {"WAIT", "NOPERM no"}};
     },
     Severity::kProblem, "user edge may not use EVALSHA, WAIT (NOPERM no)",
     "ACL SETUSER edge ~concur:* +eval"},
    {"not read",
     [](FleetFacts& f) {
       f.servers[0].unread = {"INFO", "CONFIG GET"};
     },
     Severity::kNote, "may not use INFO, CONFIG GET", "ACL SETUSER edge +info +config|get"},
    {"refuses", [](FleetFacts& f) { f.servers[0].refusal = "MISCONF Errors writing"; },
     Severity::kProblem, "it refuses a change: MISCONF", "log"},
    {"broken", [](FleetFacts& f) { f.servers[0].cluster["cluster_state"] = "fail"; },
     Severity::kProblem, "cluster_state fail", "CLUSTER NODES"},
    {"half moved", [](FleetFacts& f) { f.servers[0].half_moved = 2; }, Severity::kWarning,
     "2 slots are half moved", "--cluster fix"},
    {"given up",
     [](FleetFacts& f) {
       f.servers[0].given_up = {{"10.0.0.9", 6379}};
     },
     Severity::kWarning, "holds 10.0.0.9:6379 for failed", "CLUSTER FORGET"},
    {"no owner", [](FleetFacts& f) { f.unowned = 5461; }, Severity::kProblem,
     "5461 of 16384 slots have no owner", "--cluster fix"},
    {"no majority", [](FleetFacts& f) { f.servers.erase(f.servers.begin() + 2); },
     Severity::kWarning, "the cluster has 2 primaries", "make it three"},
    {"one seed",
     [](FleetFacts& f) {
       f.config.seeds.resize(1);
       f.servers[1].is_seed = false;
     },
     Severity::kWarning, "`fleet` names one server",
     "fleet = valkeys://10.0.0.1:6379,10.0.0.2:6379"},
    {"a clock",
     [](FleetFacts& f) {
       f.servers[0].clock = FleetStatus::ClockOffset{700ms, 720ms};
     },
     Severity::kProblem, "its clock is 700ms ahead", "timedatectl set-ntp true"},
    {"clocks apart",
     [](FleetFacts& f) {
       f.servers[0].clock = FleetStatus::ClockOffset{400ms, 410ms};
       f.servers[1].clock = FleetStatus::ClockOffset{-410ms, -400ms};
     },
     Severity::kProblem, "clocks are 800ms apart", "timedatectl"},
    {"open", [](FleetFacts& f) { f.config.password_file.clear(); }, Severity::kWarning,
     "no password is asked for", "ACL"},
    {"plain", [](FleetFacts& f) { f.config.tls = false; }, Severity::kWarning, "not encrypted",
     "TLS"},
    {"mixed", [](FleetFacts& f) { f.servers[0].in_cluster = false; }, Severity::kProblem,
     "not in cluster mode", "fleet"},
    {"policies",
     [](FleetFacts& f) {
       f.boxes = {{"1", "a", "v", "p", {}, false}, {"2", "b", "v", "q", {}, true}};
     },
     Severity::kWarning, "policy differs", "--check-config"},
    {"labels",
     [](FleetFacts& f) {
       f.boxes = {{"1", "a", "v", "p", {}, false}, {"2", "a", "v", "p", {}, true}};
     },
     Severity::kWarning, "called that", "box = NAME"},
    {"versions",
     [](FleetFacts& f) {
       f.boxes = {{"1", "a", "v", "p", {}, false}, {"2", "b", "w", "p", {}, false}};
     },
     Severity::kNote, "another version", "upgrade"},
};

// What only servers without cluster mode can have.
const std::vector<Flaw> kSingleFlaws = {
    {"two primaries",
     [](FleetFacts& f) {
       f.servers[1].role = Role::kPrimary;
       f.servers[1].replicas = f.servers[0].replicas;
     },
     Severity::kProblem, "each says that it is the primary", "REPLICAOF"},
    {"no primary", [](FleetFacts& f) { f.servers.erase(f.servers.begin()); }, Severity::kProblem,
     "no server is a primary", "REPLICAOF NO ONE"},
    {"replica without a seed",
     [](FleetFacts& f) {
       f.servers[1].is_seed = false;
       f.config.seeds.resize(1);
     },
     Severity::kWarning, "`fleet` does not name it", "fleet = valkeys://10.0.0.1:6379,"},
    {"no replica", [](FleetFacts& f) { f.servers[0].replicas.clear(); }, Severity::kProblem,
     "no replica follows it", "REPLICAOF 10.0.0.1 6379"},
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

void check_each(const std::vector<Flaw>& flaws, FleetFacts (*good)()) {
  for (const Flaw& flaw : flaws) {
    CAPTURE(flaw.name);
    FleetFacts facts = good();
    flaw.make(facts);
    const FleetFindings found = check_of(facts);
    const auto finding = std::ranges::find_if(
        found.findings, [&flaw](const FleetFinding& each) { return has(each.what, flaw.what); });
    REQUIRE(finding != found.findings.end());
    CHECK(finding->severity == flaw.severity);
    CHECK_FALSE(finding->why.empty());
    CHECK(std::ranges::any_of(finding->mend,
                              [&flaw](const std::string& each) { return has(each, flaw.mend); }));
  }
}

}  // namespace

TEST_CASE("check_of finds nothing to mend in what is set as the manual says") {
  for (const auto good : {well_set, well_set_single}) {
    for (const FleetFinding& finding : check_of(good()).findings) {
      CAPTURE(finding.what);
      CHECK(finding.severity == Severity::kNote);
      CHECK(has(finding.what, "started again"));
      CHECK(finding.where.empty());
    }
  }
  CHECK(check_of(well_set()).servers.size() == 6);
  CHECK(check_of(well_set()).servers[0].version == "valkey 8.1.0");
  CHECK(check_of(well_set()).servers[5].role == "replica");
}

TEST_CASE("check_of finds each flaw, and says how to mend it") {
  check_each(kFlaws, well_set);
  check_each(kSingleFlaws, well_set_single);
}

TEST_CASE("check_of says once what is true of several servers, the gravest first") {
  FleetFacts facts = well_set();
  for (ServerFacts& server : facts.servers) server.info["aof_enabled"] = "0";
  facts.servers[1].info["maxmemory"] = "0";
  const auto findings = check_of(facts).findings;
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].where.size() == 6);
  CHECK(findings[0].mend.size() == 12);
  CHECK(findings[1].severity == Severity::kNote);
}

TEST_CASE("check_of asks for Redis' own client where it is Redis") {
  FleetFacts facts = well_set();
  facts.servers[0].info.erase("valkey_version");
  facts.servers[0].info["aof_enabled"] = "0";
  const auto findings = check_of(facts).findings;
  CHECK(findings[0].mend.front().starts_with("redis-cli -h 10.0.0.1 -p 6379 --tls"));
}

TEST_CASE("check_of a server that could not be asked says nothing else of it") {
  FleetFacts facts = well_set();
  facts.servers[5] = ServerFacts();
  facts.servers[5].address = {"10.0.0.3", 6380};
  facts.servers[5].failure = "Connection refused";
  const auto findings = check_of(facts).findings;
  CHECK(std::ranges::count(findings, Severity::kProblem, &FleetFinding::severity) == 1);
  CHECK(check_of(facts).servers[5].trouble == "Connection refused");
}
