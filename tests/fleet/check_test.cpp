#include "fleet/check.hpp"

#include "base/turn.hpp"
#include "client.hpp"
#include "engine/net_dialer.hpp"
#include "fleet/inspection.hpp"
#include "servers.hpp"
#include "support/certificates.hpp"

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using namespace concur::test;

namespace {

using Severity = FleetFinding::Severity;

struct Asked {
  FleetConfig config;
  engine::Login login{};
  engine::TlsContext tls = nullptr;
  std::vector<FleetStatus::Box> boxes{};

  FleetFindings check() const {
    boost::asio::io_context loop{1};
    Turn turn{loop};
    SystemClock clock;
    engine::NetDialer dialer(loop, tls);
    FleetChecker checker(loop, turn, clock, dialer);
    std::optional<Result<FleetFindings>> result;
    checker.check(config, login, boxes,
                  [&result](Result<FleetFindings> came) { result = std::move(came); });
    while (!result) loop.run_one();
    REQUIRE(result->has_value());
    return std::move(**result);
  }
};

Asked asked_of(Servers& servers, std::size_t seeds) {
  Asked asked;
  for (std::size_t i = 0; i < seeds; ++i) asked.config.seeds.push_back(servers[i].address());
  return asked;
}

const FleetFinding* find(const FleetFindings& findings, const std::string& what) {
  const auto found = std::ranges::find_if(findings.findings, [&what](const FleetFinding& each) {
    return each.what.find(what) != std::string::npos;
  });
  return found == findings.findings.end() ? nullptr : &*found;
}

// Everything but notes, as text: nothing where all is well.
std::string serious(const FleetFindings& findings) {
  std::string text;
  for (const FleetFinding& each : findings.findings) {
    if (each.severity != Severity::kNote) text += each.what + "; ";
  }
  return text;
}

void check_finds(const Asked& asked, Severity severity, const std::string& what) {
  const FleetFindings findings = asked.check();
  const FleetFinding* const finding = find(findings, what);
  CAPTURE(what);
  CAPTURE(serious(findings));
  REQUIRE(finding != nullptr);
  CHECK(finding->severity == severity);
  CHECK_FALSE(finding->mend.empty());
}

// As the manual has it, of what can be set in a server that runs.
void set_well(Server& server) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"appendonly", "yes"},
                                                        {"maxmemory", "100mb"},
                                                        {"hash-max-listpack-value", "512"},
                                                        {"hash-max-listpack-entries", "512"}}) {
    server.must({"CONFIG", "SET", name, value});
  }
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

void set_user(Server& server, const std::vector<std::string>& rights) {
  std::vector<std::string> words{"ACL", "SETUSER", "edge", "reset", "on", ">secret"};
  words.insert(words.end(), rights.begin(), rights.end());
  server.must(words);
}

// Without any one of the rights something is said to be wrong, but for those that are for the other
// mode.
void check_that_each_is_needed(Servers& servers, Asked asked, const std::set<std::string>& others) {
  asked.login = {"edge", "secret"};
  const auto rights = words_of(rights_needed(asked.config) + " " + kRightsToCheck);
  for (std::size_t i = 0; i < servers.size(); ++i) set_user(servers[i], rights);
  const FleetFindings all = asked.check();
  CHECK(serious(all).empty());
  CHECK(find(all, "may not use") == nullptr);
  for (const std::string& right : rights) {
    if (others.contains(right)) continue;
    CAPTURE(right);
    auto fewer = rights;
    std::erase(fewer, right);
    for (std::size_t i = 0; i < servers.size(); ++i) set_user(servers[i], fewer);
    const FleetFindings findings = asked.check();
    const FleetFinding* const finding = find(findings, "may not use");
    CHECK(finding != nullptr);
  }
}

}  // namespace

TEST_CASE("a cluster is checked") {
  Cluster cluster;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    set_well(cluster[i]);
    cluster[i].must({"CONFIG", "SET", "cluster-require-full-coverage", "no"});
  }
  Asked asked = asked_of(cluster, 2);

  SUBCASE("that is set as the manual says: nothing is to be mended") {
    const FleetFindings findings = asked.check();
    CHECK(serious(findings).empty());
    CHECK(findings.servers.size() == 6);
    CHECK(std::ranges::count(findings.servers, "primary", &FleetServer::role) == 3);
    CHECK(std::ranges::count(findings.servers, "replica", &FleetServer::role) == 3);
    for (const FleetServer& server : findings.servers) {
      CHECK_FALSE(server.version.empty());
      CHECK(server.trouble.empty());
    }
  }
  SUBCASE("by a user with the rights that it names, and none to spare") {
    check_that_each_is_needed(cluster, asked, {"+scan"});
  }
  SUBCASE("that stops as a whole where a slot has no owner") {
    cluster[1].must({"CONFIG", "SET", "cluster-require-full-coverage", "yes"});
    check_finds(asked, Severity::kProblem, "cluster-require-full-coverage yes");
  }
  SUBCASE("of which a primary has lost its replica") {
    cluster[3].kill();
    check_finds(asked, Severity::kProblem, "no replica follows it");
    check_finds(asked, Severity::kProblem, "nobody listens there");
  }
  SUBCASE("of which a primary is lost, and nobody took over") {
    cluster[3].kill();
    cluster[0].kill();
    wait_until(
        [&] {
          return cluster[1].ask({"CLUSTER", "INFO"}).find("cluster_slots_fail:5461") !=
                 std::string::npos;
        },
        "it is given up");
    check_finds(asked, Severity::kWarning, "for failed");
    check_finds(asked, Severity::kProblem, "nobody listens there");
  }
  SUBCASE("of which a slot is half moved") {
    const std::string id = cluster[1].ask({"CLUSTER", "MYID"});
    cluster[0].must({"CLUSTER", "SETSLOT", "7", "MIGRATING", id});
    check_finds(asked, Severity::kWarning, "1 slot is half moved");
  }
  SUBCASE("of which one server is named") {
    check_finds(asked_of(cluster, 1), Severity::kWarning, "names one server");
  }
}

TEST_CASE("servers without cluster mode are checked") {
  Servers servers;
  Server& primary = servers.add({"--repl-diskless-sync-delay", "0"});
  Server& replica = servers.add();
  replica.must({"REPLICAOF", primary.host(), std::to_string(primary.port())});
  Cluster::wait_for_replica(replica);
  wait_until(
      [&] {
        return primary.ask({"INFO", "replication"}).find("state=online") != std::string::npos;
      },
      "it knows its replica");
  set_well(primary);
  set_well(replica);
  const auto set = [&primary](const std::string& name, const std::string& value) {
    primary.must({"CONFIG", "SET", name, value});
  };
  Asked asked = asked_of(servers, 2);

  SUBCASE("that are set as the manual says: nothing is to be mended") {
    const FleetFindings findings = asked.check();
    CHECK(serious(findings).empty());
    CHECK(findings.findings.empty());
    CHECK(findings.servers.size() == 2);
  }
  SUBCASE("by a user with the rights that it names, and none to spare") {
    check_that_each_is_needed(
        servers, asked, {"+asking", "+cluster|getkeysinslot", "+cluster|nodes", "+cluster|info"});
  }
  SUBCASE("by one who may read nothing that a box needs not") {
    for (std::size_t i = 0; i < servers.size(); ++i) {
      set_user(servers[i], words_of(rights_needed(asked.config)));
    }
    asked.login = {"edge", "secret"};
    check_finds(asked, Severity::kNote, "may not use ACL WHOAMI, INFO");
    CHECK(serious(asked.check()).empty());
  }
  SUBCASE("that evict") {
    set("maxmemory-policy", "allkeys-lru");
    check_finds(asked, Severity::kProblem, "maxmemory-policy allkeys-lru");
  }
  SUBCASE("that have evicted") {
    set("maxmemory-policy", "allkeys-lru");
    primary.must({"SET", "concur:u:abc", "x"});
    set("maxmemory", "1");
    primary.ask({"SET", "concur:u:xyz", "x"});
    set("maxmemory", "100mb");
    set("maxmemory-policy", "noeviction");
    check_finds(asked, Severity::kProblem, "it has thrown");
  }
  SUBCASE("that are full") {
    set("maxmemory", "1");
    check_finds(asked, Severity::kProblem, "it refuses a change: OOM");
  }
  SUBCASE("that write no append-only file") {
    set("appendonly", "no");
    check_finds(asked, Severity::kProblem, "appendonly no");
  }
  SUBCASE("that ask for replicas to write") {
    set("min-replicas-to-write", "2");
    check_finds(asked, Severity::kProblem, "min-replicas-to-write");
    check_finds(asked, Severity::kProblem, "it refuses a change: NOREPLICAS");
  }
  SUBCASE("of which both are primaries") {
    replica.must({"REPLICAOF", "NO", "ONE"});
    check_finds(asked, Severity::kProblem, "each says that it is the primary");
  }
  SUBCASE("of which none is a primary") {
    primary.kill();
    check_finds(asked, Severity::kProblem, "no server is a primary");
  }
  SUBCASE("of which the replica is not named") {
    check_finds(asked_of(servers, 1), Severity::kWarning, "`fleet` does not name it");
  }
  SUBCASE("of which the primary is named by another name: it is one server all the same") {
    asked.config.seeds = {{"localhost", primary.port()}, replica.address()};
    const FleetFindings findings = asked.check();
    CHECK(findings.servers.size() == 2);
  }
  SUBCASE("with small listpacks") {
    set("hash-max-listpack-value", "64");
    check_finds(asked, Severity::kWarning, "hash-max-listpack-value is 64");
  }
  SUBCASE("that ask for a password") {
    set("requirepass", "secret");
    check_finds(asked, Severity::kProblem, "a password is needed");
    asked.login = {"", "wrong"};
    check_finds(asked, Severity::kProblem, "the user or the password is wrong");
    // The test's own connection is one that was made before.
  }
  SUBCASE("where a seed is nobody") {
    asked.config.seeds.push_back({"127.0.0.1", free_ports(1).front()});
    check_finds(asked, Severity::kProblem, "nobody listens there");
  }
  SUBCASE("where a seed swallows all") {
    Server& third = servers.add();
    asked.config.seeds.push_back(third.address());
    third.stop();
    check_finds(asked, Severity::kProblem, "nothing answers there");
    third.go_on();
  }
  SUBCASE("of boxes that differ") {
    asked.boxes = {{"1", "a", "v", "p", {}, false}, {"2", "a", "v", "q", {}, true}};
    check_finds(asked, Severity::kWarning, "policy differs");
    check_finds(asked, Severity::kWarning, "called that");
  }
  SUBCASE("one check at a time") {
    boost::asio::io_context loop{1};
    Turn turn{loop};
    SystemClock clock;
    engine::NetDialer dialer(loop);
    FleetChecker checker(loop, turn, clock, dialer);
    std::vector<ErrorKind> refused;
    int done = 0;
    const auto take = [&](Result<FleetFindings> came) {
      ++done;
      if (!came) refused.push_back(came.error().kind);
    };
    checker.check(asked.config, {}, {}, take);
    checker.check(asked.config, {}, {}, take);
    CHECK(refused == std::vector{ErrorKind::kUnavailable});
    checker.stop();
    CHECK(done == 2);
    checker.check(asked.config, {}, {}, take);
    while (done < 3) loop.run_one();
    CHECK(refused.size() == 2);
  }
}

TEST_CASE("servers with TLS are checked") {
  Certificates certificates;
  const auto serve = [&certificates](Servers& servers, const Certificates::Files& files) {
    const std::uint16_t port = free_ports(1).front();
    servers.add({"--tls-port", std::to_string(port), "--tls-cert-file", files.cert,
                 "--tls-key-file", files.key, "--tls-ca-cert-file", certificates.ca(),
                 "--tls-auth-clients", "no"});
    return engine::Address{"127.0.0.1", port};
  };
  Servers servers;
  Asked asked;
  asked.config.tls = true;
  asked.tls = *engine::load_tls({certificates.ca(), "", ""});
  SUBCASE("whose certificate is over") {
    asked.config.seeds = {serve(servers, certificates.sign("old", "IP:127.0.0.1", -60))};
    check_finds(asked, Severity::kProblem, "certificate has expired");
  }
  SUBCASE("whose certificate names another") {
    asked.config.seeds = {serve(servers, certificates.sign("other", "IP:127.0.0.2"))};
    check_finds(asked, Severity::kProblem, "certificate is not accepted");
  }
  SUBCASE("that do not speak it there") {
    serve(servers, certificates.sign("good", "IP:127.0.0.1"));
    asked.config.seeds = {servers[0].address()};
    check_finds(asked, Severity::kProblem, "nothing answers there");
  }
  SUBCASE("that speak it where we do not") {
    asked.config.seeds = {serve(servers, certificates.sign("good", "IP:127.0.0.1"))};
    asked.config.tls = false;
    asked.tls = nullptr;
    check_finds(asked, Severity::kProblem, "the connection is closed at once");
  }
}
