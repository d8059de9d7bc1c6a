#include "fleet/check.hpp"

#include "base/duration.hpp"
#include "base/text.hpp"
#include "fleet/fact_reading.hpp"
#include "fleet/findings.hpp"
#include "fleet/server_rules.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace concur {

namespace {

using facts::any_in_cluster;
using facts::is_loopback;
using facts::number_of;
using Severity = FleetFinding::Severity;
using Role = ServerFacts::Role;

constexpr Millis kMaxClockGap{500};
constexpr std::uint64_t kUsualNodeTimeout = 15'000;

std::size_t primaries_of(const FleetFacts& facts) {
  return static_cast<std::size_t>(std::ranges::count_if(facts.servers, [](const auto& server) {
    return server.role == Role::kPrimary && server.owns_slots;
  }));
}

void check_cluster(const FleetFacts& facts, Findings& to) {
  if (!any_in_cluster(facts)) return;
  if (facts.unowned > 0) {
    to.add_for(Severity::kProblem, {},
               text::format("{} of 16384 slots have no owner", facts.unowned), kAwayMatters,
               {"start the primaries that are away, or give their slots to others: valkey-cli "
                "--cluster fix ADDRESS"});
  }
  if (const std::size_t primaries = primaries_of(facts); primaries == 1 || primaries == 2) {
    to.add_for(
        Severity::kWarning, {},
        text::format("the cluster has {} {}", primaries, primaries == 1 ? "primary" : "primaries"),
        "a majority of the primaries must agree before a replica takes over: with fewer than "
        "three none ever does by itself",
        {"make it three: valkey-cli --cluster add-node NEW:6379 ADDRESS, then --cluster "
         "rebalance ADDRESS --cluster-use-empty-masters"});
  }
}

void check_restart(const FleetFacts& facts, Findings& to) {
  std::uint64_t timeout = 0;
  for (const ServerFacts& server : facts.servers) {
    if (!server.in_cluster) continue;
    timeout = std::max(
        timeout, number_of(server.config, "cluster-node-timeout").value_or(kUsualNodeTimeout));
  }
  if (timeout == 0) return;
  const std::uint64_t rest = timeout * 2 / 1000 + 1;
  to.add_for(
      Severity::kNote, {}, "how soon a server that died is started again cannot be seen from here",
      text::format("a primary that is back within {} s, before a replica took over, goes on with "
                   "what its file has: the last second is forgotten, or all where the file is "
                   "lost",
                   rest),
      {text::format("on each server: systemctl edit valkey-server, with the lines [Service] "
                    "and RestartSec={}",
                    rest)});
}

void check_single(const FleetFacts& facts, Findings& to) {
  std::vector<std::string> primaries;
  std::size_t asked = 0;
  for (const ServerFacts& server : facts.servers) {
    asked += server.failure.empty() ? 1 : 0;
    if (!server.in_cluster && server.role == Role::kPrimary) {
      primaries.push_back(to_text(server.address));
    }
  }
  if (asked == 0) return;
  if (any_in_cluster(facts)) {
    if (primaries.empty()) return;
    return to.add_for(Severity::kProblem, primaries, "not in cluster mode, as others are",
                      "a fleet has one engine: a cluster, or one primary and its replicas",
                      {"name the servers of one of them in `fleet`"});
  }
  if (primaries.size() > 1) {
    to.add_for(
        Severity::kProblem, primaries, "each says that it is the primary, without cluster mode",
        "boxes may count in different ones, so that each has a limit of its own; they refuse to "
        "choose",
        {text::format("make one of them the replica of the other: valkey-cli -h OTHER REPLICAOF "
                      "{}",
                      text::format("{}", primaries.front()))});
  } else if (primaries.empty()) {
    to.add_for(Severity::kProblem, {}, "no server is a primary", kAwayMatters,
               {"make one of them the primary: valkey-cli -h ADDRESS REPLICAOF NO ONE"});
  }
}

// Without cluster mode nobody tells a box whom to ask when the primary is gone.
void check_seeds(const FleetFacts& facts, Findings& to) {
  std::vector<engine::Address> all = facts.config.seeds;
  std::vector<std::string> missing;
  for (const ServerFacts& server : facts.servers) {
    if (server.is_seed) continue;
    all.push_back(server.address);
    missing.push_back(to_text(server.address));
  }
  if (missing.empty()) return;
  FleetConfig whole = facts.config;
  whole.seeds = all;
  const bool cluster = any_in_cluster(facts);
  if (cluster && facts.config.seeds.size() > 1) return;
  if (all.size() > engine::kMaxSeeds) whole.seeds.resize(engine::kMaxSeeds);
  to.add_for(Severity::kWarning, cluster ? std::vector<std::string>() : missing,
             cluster ? "`fleet` names one server" : "`fleet` does not name it",
             cluster ? "a box that is started while that one is away finds none of the others"
                     : "when its primary is gone no box looks for it there",
             {text::format("in concurrencyd.conf: fleet = {}", fleet_url(whole))});
}

std::string clock_text(Millis offset) {
  return text::format("{} {}", format_duration(std::chrono::abs(offset)),
                      offset > Millis(0) ? "ahead" : "behind");
}

void check_clocks(const FleetFacts& facts, Findings& to) {
  constexpr std::string_view kWhy =
      "leases run on the engine's clocks, and go on with another server's when it takes over: they "
      "would lapse early or late by as much";
  const std::vector<std::string> mend = {"on each machine: timedatectl set-ntp true"};
  Millis least_latest{0};
  Millis most_earliest{0};
  bool found = false;
  for (const ServerFacts& server : facts.servers) {
    if (!server.clock) continue;
    const auto [least, most] = *server.clock;
    const Millis gap = least > Millis(0) ? least : most < Millis(0) ? most : Millis(0);
    most_earliest = std::max(most_earliest, least);
    least_latest = std::min(least_latest, most);
    if (std::chrono::abs(gap) <= kMaxClockGap) continue;
    found = true;
    to.add(Severity::kProblem, server,
           text::format("its clock is {} of this box's", clock_text(gap)), kWhy, mend);
  }
  if (!found && most_earliest - least_latest > kMaxClockGap) {
    to.add_for(Severity::kProblem, {},
               text::format("the servers' clocks are {} apart",
                            format_duration(most_earliest - least_latest)),
               kWhy, mend);
  }
}

void check_network(const FleetFacts& facts, Findings& to) {
  std::vector<std::string> open;
  for (const ServerFacts& server : facts.servers) {
    if (!is_loopback(server.address)) open.push_back(to_text(server.address));
  }
  if (open.empty()) return;
  if (facts.config.password_file.empty()) {
    to.add_for(Severity::kWarning, open, "no password is asked for",
               "whoever reaches the port can read who watches what, and end everybody's sessions",
               {"see ACL in concurrencyd-fleet(7)"});
  }
  if (!facts.config.tls) {
    to.add_for(Severity::kWarning, open, "what is said is not encrypted",
               "whoever listens between the machines reads names, addresses and the password",
               {"see TLS in concurrencyd-fleet(7), unless the network itself is encrypted"});
  }
}

void check_boxes(const FleetFacts& facts, Findings& to) {
  if (facts.boxes.empty()) return;
  const FleetStatus::Box& own = facts.boxes.front();
  std::vector<std::string> other_policy;
  std::vector<std::string> other_version;
  std::set<std::string> labels;
  std::set<std::string> doubled;
  for (const FleetStatus::Box& box : facts.boxes) {
    if (box.policy != own.policy) other_policy.push_back(box.label);
    if (box.version != own.version) other_version.push_back(box.label);
    if (!labels.insert(box.label).second) doubled.insert(box.label);
  }
  if (!other_policy.empty()) {
    to.add_for(
        Severity::kWarning, other_policy, "its policy differs from this box's",
        "a user may start at one box what another one refuses",
        {"compare, on each: concurrencyd --check-config; then: systemctl reload concurrencyd"});
  }
  if (!doubled.empty()) {
    to.add_for(Severity::kWarning, {doubled.begin(), doubled.end()},
               "several boxes are called that", "in lists and events nobody can tell them apart",
               {"give each another name in its concurrencyd.conf: box = NAME"});
  }
  if (!other_version.empty()) {
    to.add_for(Severity::kNote, other_version, "it runs another version than this box",
               "that is fine while you upgrade box by box", {"upgrade it when you can"});
  }
}

using FleetRule = void (*)(const FleetFacts& facts, Findings& to);
constexpr FleetRule kFleetRules[] = {check_cluster, check_single,  check_seeds, check_clocks,
                                     check_network, check_restart, check_boxes};

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kUnknown:
      return "";
    case Role::kPrimary:
      return "primary";
    case Role::kReplica:
      return "replica";
  }
  return "";
}

}  // namespace

FleetFindings check_of(const FleetFacts& facts) {
  Findings findings;
  FleetFindings all;
  for (const ServerFacts& server : facts.servers) {
    check_server(server, facts, findings);
    all.servers.push_back({to_text(server.address), std::string(name_of(server.role)),
                           facts::version_of(server), server.failure, server.unread});
  }
  for (const FleetRule rule : kFleetRules) rule(facts, findings);
  all.findings = findings.take();
  return all;
}

std::string rights_needed(const FleetConfig& config) {
  return text::format(
      "~{0}:* +eval +evalsha +script|load +time +wait +role +asking +cluster|slots "
      "+cluster|getkeysinslot +cluster|nodes +scan +hget +hset +hdel +hgetall +hexists +pttl "
      "+pexpire +persist",
      config.name);
}

}  // namespace concur
