#include "fleet/server_rules.hpp"

#include "base/text.hpp"
#include "fleet/check.hpp"
#include "fleet/fact_reading.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

namespace concur {

namespace {

using facts::is_loopback;
using facts::is_valkey;
using facts::number_of;
using facts::set_and_keep;
using facts::typed;
using facts::value_of;
using Severity = FleetFinding::Severity;
using Role = ServerFacts::Role;

constexpr std::uint64_t kLongNodeTimeout = 5'000;

// Why a server could not be asked, by a part of what it or the system said.
struct Unreachable {
  std::string_view sign;
  std::string_view what;
  std::string_view mend;
};

constexpr std::string_view kClosed = "the connection is closed at once";
constexpr std::string_view kSpeakTls =
    "one side may speak TLS and the other not: `fleet` begins with valkeys:// for the servers' "
    "tls-port, and with valkey:// for their port";
constexpr Unreachable kUnreachable[] = {
    {"WRONGPASS", "the user or the password is wrong",
     "compare fleet-user and the file of fleet-password-file with the servers' ACL LIST, then: "
     "systemctl reload concurrencyd"},
    {"NOAUTH", "a password is needed, and this box has none",
     "set fleet-user and fleet-password-file, then: systemctl restart concurrencyd"},
    {"certificate", "the servers' certificate is not accepted",
     "see until when it is valid, whether it names the address that `fleet` names, and whether "
     "fleet-ca-file has who signed it: openssl s_client -connect ADDRESS -CAfile FILE"},
    {"closed the connection", kClosed, kSpeakTls},
    {"reset by peer", kClosed, kSpeakTls},
    {"wrong version number", "TLS is spoken to a port without TLS", kSpeakTls},
    {"refused", "nobody listens there",
     "start the server (systemctl start valkey-server); see that its `bind` names an address that "
     "the boxes can reach (ss -ltn), and protected-mode is no"},
    {"in time", "nothing answers there",
     "see that no firewall is between, and that both sides speak TLS (`fleet` begins with "
     "valkeys://) or neither does; in cluster mode also that cluster-announce-ip of the server is "
     "an address that the boxes can reach"},
    {"not found", "the name is not known", "mend the name in `fleet`, or in the name server"},
};

void check_reach(const ServerFacts& server, const FleetFacts& /*facts*/, Findings& to) {
  if (server.failure.empty()) return;
  const auto* known = std::ranges::find_if(kUnreachable, [&server](const Unreachable& each) {
    return server.failure.find(each.sign) != std::string::npos;
  });
  if (known == std::end(kUnreachable)) {
    return to.add(Severity::kProblem, server,
                  text::format("it cannot be asked: {}", server.failure), kAwayMatters,
                  {"see the server's own log"});
  }
  to.add(Severity::kProblem, server, text::format("{} ({})", known->what, server.failure),
         kAwayMatters, {std::string(known->mend)});
}

void check_version(const ServerFacts& server, const FleetFacts& /*facts*/, Findings& to) {
  const auto redis = value_of(server.info, "redis_version");
  if (is_valkey(server) || redis.empty()) return;
  int major = 0;
  std::from_chars(redis.data(), redis.data() + redis.size(), major);
  if (major >= kMinMajorVersion) return;
  to.add(Severity::kProblem, server, text::format("it is redis {}", redis),
         "a fleet needs Redis 7.0 or later, or Valkey: older ones refuse its scripts",
         {"install a newer one, replicas first"});
}

void check_eviction(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  const auto policy = value_of(server.info, "maxmemory_policy");
  const auto most = number_of(server.info, "maxmemory");
  if (!policy.empty() && policy != "noeviction") {
    to.add(most.value_or(0) > 0 ? Severity::kProblem : Severity::kWarning, server,
           text::format("it throws keys away where memory is short (maxmemory-policy {})", policy),
           "a key is a user: its sessions are forgotten, and as many can start again",
           set_and_keep(server, facts, "maxmemory-policy noeviction"));
  }
  if (const auto evicted = number_of(server.info, "evicted_keys").value_or(0); evicted > 0) {
    to.add(Severity::kProblem, server, text::format("it has thrown {} keys away already", evicted),
           "they were users with sessions, who could start as many again",
           {"give it more memory, and set maxmemory-policy to noeviction; then forget the count:",
            typed(server, facts, "CONFIG RESETSTAT")});
  }
  if (most == 0U) {
    to.add(Severity::kNote, server, "its memory has no bound (maxmemory 0)",
           "where the machine's memory runs out the kernel kills the server; with a bound, starts "
           "are refused and ends still make room",
           set_and_keep(server, facts, "maxmemory 2gb"));
  }
}

void check_memory(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  const auto used = number_of(server.info, "used_memory");
  const auto most = number_of(server.info, "maxmemory");
  if (!used || most.value_or(0) == 0 || *used / 9 < *most / 10) return;
  to.add(Severity::kWarning, server,
         text::format("{} % of its memory is used", *used * 100 / *most),
         "when it is full new sessions are refused there; heartbeats and ends still work",
         set_and_keep(server, facts, text::format("maxmemory {}", *most * 2)));
}

void check_files(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  if (value_of(server.info, "aof_enabled") == "0") {
    to.add(Severity::kProblem, server, "it writes no append-only file (appendonly no)",
           "a primary that restarts empty empties its replicas, too: all its sessions are "
           "forgotten at once",
           set_and_keep(server, facts, "appendonly yes"));
  }
  if (value_of(server.info, "aof_last_write_status") == "err" ||
      value_of(server.info, "rdb_last_bgsave_status") == "err") {
    to.add(Severity::kProblem, server, "it cannot write its files",
           "it refuses all changes until it can (MISCONF)",
           {"see who owns its folder and how full the disk is; its folder is:",
            typed(server, facts, "CONFIG GET dir")});
  }
  if (value_of(server.info, "loading") == "1") {
    to.add(Severity::kWarning, server, "it is still loading its files", kAwayMatters,
           {"wait, and check again"});
  }
}

void check_replication_rules(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  const bool asks_for_some = number_of(server.config, "min-replicas-to-write").value_or(0) > 0 ||
                             server.info.contains("min_slaves_good_slaves");
  if (!asks_for_some) return;
  to.add(Severity::kProblem, server,
         "it refuses all changes while too few replicas follow it (min-replicas-to-write)",
         "heartbeats and ends are refused with the starts; fleet-ack = replica already asks for "
         "one where there is one, and goes on where there is none",
         set_and_keep(server, facts, "min-replicas-to-write 0"));
}

void check_coverage(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  if (!server.in_cluster) return;
  if (value_of(server.config, "cluster-require-full-coverage") == "yes") {
    to.add(Severity::kProblem, server,
           "it stops answering when any slot of the cluster has no owner "
           "(cluster-require-full-coverage yes)",
           "the loss of one primary is the loss of all of them until a replica takes over",
           set_and_keep(server, facts, "cluster-require-full-coverage no"));
  }
  const auto timeout = number_of(server.config, "cluster-node-timeout");
  if (timeout.value_or(0) > kLongNodeTimeout) {
    to.add(Severity::kNote, server,
           text::format("a replica takes over some {} s after its primary is lost "
                        "(cluster-node-timeout {})",
                        *timeout * 2 / 1000, *timeout),
           "for so long its users are counted by each box for itself",
           set_and_keep(server, facts, "cluster-node-timeout 3000"));
  }
}

void check_replicas(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  if (server.role == Role::kPrimary && server.owns_slots && server.replicas.empty()) {
    const bool acknowledged = facts.config.ack == engine::Ack::kReplica;
    to.add(acknowledged ? Severity::kProblem : Severity::kWarning, server, "no replica follows it",
           acknowledged ? "nobody takes over when it is lost, and fleet-ack = replica finds nobody "
                          "to acknowledge"
                        : "nobody takes over when it is lost",
           {"start another server on another machine, and make it its replica:",
            server.in_cluster ? typed(server, facts,
                                      text::format("--cluster add-node NEW:6379 {} --cluster-slave",
                                                   to_text(server.address)))
                              : text::format("valkey-cli -h NEW REPLICAOF {} {}",
                                             server.address.host, server.address.port)});
  }
  if (server.role == Role::kReplica && !server.follows) {
    to.add(Severity::kWarning, server, "it does not follow its primary at present",
           "it falls behind: were it to take over, it would have forgotten the latest sessions",
           {"see its log; a password between servers is masteruser and masterauth:",
            typed(server, facts, "INFO replication")});
  }
}

void check_neighbours(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  if (is_loopback(server.address)) return;
  for (const engine::Address& replica : server.replicas) {
    if (replica.host != server.address.host) continue;
    to.add(Severity::kWarning, server, "a replica of it runs on the same machine",
           "the machine takes both of them along",
           {"let each replica run on another machine than its primary; in cluster mode, on the "
            "replica:",
            typed(server, facts, "CLUSTER REPLICATE ID-OF-ANOTHER-PRIMARY")});
  }
}

void check_listpack(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  struct Bound {
    std::string_view name;
    std::size_t least;
    std::string_view set;
  };
  constexpr Bound kBounds[] = {
      {"hash-max-listpack-value", kMinListpackValue, "hash-max-listpack-value 512"},
      {"hash-max-listpack-entries", kMinListpackEntries, "hash-max-listpack-entries 512"}};
  for (const auto& [name, least, set] : kBounds) {
    const auto value = number_of(server.config, name);
    if (!value || *value >= least) continue;
    to.add(Severity::kWarning, server, text::format("{} is {}", name, *value),
           "a session with a device, an address and a title takes up to twice the memory there",
           set_and_keep(server, facts, set));
  }
}

void check_rights(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  const std::string user = server.user.empty() ? "default" : server.user;
  const auto grant = [&](std::string_view rights) {
    return std::vector<std::string>{
        typed(server, facts, text::format("ACL SETUSER {} {}", user, rights)),
        text::format("{}  # CONFIG REWRITE where there is no aclfile",
                     typed(server, facts, "ACL SAVE"))};
  };
  if (!server.refused.empty()) {
    std::vector<std::string> commands;
    for (const auto& [command, error] : server.refused) commands.push_back(command);
    to.add(Severity::kProblem, server,
           text::format("user {} may not use {} ({})", user, text::join(commands, ", "),
                        server.refused.front().error),
           "what a box may not do there fails as if the engine were away",
           grant(rights_needed(facts.config)));
  }
  if (!server.unread.empty()) {
    to.add(Severity::kNote, server,
           text::format("user {} may not use {}", user, text::join(server.unread, ", ")),
           "the daemon does without, but this check knows less, and lists of all users take longer "
           "without CLUSTER NODES",
           grant(kRightsToCheck));
  }
}

void check_change(const ServerFacts& server, const FleetFacts& /*facts*/, Findings& to) {
  if (server.refusal.empty()) return;
  to.add(Severity::kProblem, server, text::format("it refuses a change: {}", server.refusal),
         kAwayMatters, {"mend what else is said of it here, and see its own log"});
}

void check_cluster_state(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  if (value_of(server.cluster, "cluster_state") == "fail") {
    to.add(Severity::kProblem, server, "it holds its cluster for broken (cluster_state fail)",
           kAwayMatters,
           {"see which servers it misses, and start them:", typed(server, facts, "CLUSTER NODES")});
  }
  if (server.half_moved > 0) {
    to.add(Severity::kWarning, server,
           text::format("{} half moved", server.half_moved == 1
                                             ? "1 slot is"
                                             : text::format("{} slots are", server.half_moved)),
           "where nobody moves slots just now, somebody stopped in the middle",
           {typed(server, facts, text::format("--cluster fix {}", to_text(server.address)))});
  }
  for (const engine::Address& lost : server.given_up) {
    to.add(Severity::kWarning, server, text::format("it holds {} for failed", to_text(lost)),
           "one copy of its users is away",
           {"start it again; where it is gone for good, on each server: CLUSTER FORGET ID"});
  }
}

using ServerRule = void (*)(const ServerFacts& server, const FleetFacts& facts, Findings& to);
constexpr ServerRule kServerRules[] = {check_reach,
                                       check_version,
                                       check_rights,
                                       check_eviction,
                                       check_memory,
                                       check_files,
                                       check_replication_rules,
                                       check_coverage,
                                       check_replicas,
                                       check_neighbours,
                                       check_listpack,
                                       check_change,
                                       check_cluster_state};

}  // namespace

void check_server(const ServerFacts& server, const FleetFacts& facts, Findings& to) {
  for (const ServerRule rule : kServerRules) rule(server, facts, to);
}

}  // namespace concur
