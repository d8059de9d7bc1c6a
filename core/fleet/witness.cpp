#include "fleet/witness.hpp"

#include "base/text.hpp"
#include "engine/change.hpp"
#include "engine/scripts.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace concur {

namespace {

using engine::Reply;

constexpr std::size_t kBeforeSlots = 8;  // words of a line of CLUSTER NODES
constexpr Millis kProbeKept = std::chrono::minutes(1);

// Lines as `name:value`; what is none is passed over.
FactMap parse_lines(std::string_view text) {
  FactMap facts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.starts_with('#')) continue;
    facts.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return facts;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<engine::Address> address_of(const Reply& host, std::int64_t port) {
  const auto address = engine::parse_address(to_text(engine::Address{host.text, 1}));
  if (!host.is_text() || !address || port < 1 || port > UINT16_MAX) return std::nullopt;
  return engine::Address{host.text, static_cast<std::uint16_t>(port)};
}

// [host, port as text, …], as ROLE names who follows.
std::optional<engine::Address> follower_of(const Reply& reply) {
  if (!reply.is_array() || reply.elements.size() < 2 || !reply.elements[1].is_text()) {
    return std::nullopt;
  }
  const std::string& text = reply.elements[1].text;
  int port = 0;
  const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return address_of(reply.elements[0], port);
}

// "10.0.0.1:6379@16379,name" of a line of CLUSTER NODES.
std::optional<engine::Address> node_of(std::string_view text) {
  const auto address = engine::parse_address(text.substr(0, text.find('@')));
  if (!address) return std::nullopt;
  return *address;
}

}  // namespace

Witness::Witness(const engine::Surroundings& surroundings, std::string_view name,
                 const engine::Address& address, bool is_seed)
    : surroundings_(surroundings),
      name_(name),
      connection_(
          surroundings, address, engine::Connection::Scripts::kNone, [this] { ask_all(); },
          [this] { end(); }) {
  facts_.address = address;
  facts_.is_seed = is_seed;
}

std::string_view Witness::run_id() const {
  const auto found = facts_.info.find("run_id");
  return found == facts_.info.end() ? std::string_view() : std::string_view(found->second);
}

void Witness::check_time() {
  if (over_) return;
  connection_.check_time();
  if (!over_ && connection_.is_ready()) connection_.flush();
}

void Witness::give_up() {
  if (over_) return;
  over_ = true;
  facts_.failure =
      connection_.failure().empty() ? "it did not answer in time" : connection_.failure();
}

void Witness::end() {
  if (over_) return;
  over_ = true;
  facts_.failure = connection_.failure();
}

// --- questions ---

void Witness::ask(const Words& words, std::string command, Need need, Take take) {
  ++waiting_;
  connection_.send(
      words, [this, command = std::move(command), need, take](engine::Connection::Answer&& answer) {
        on_answer(command, need, take, std::move(answer));
      });
}

void Witness::ask_all() {
  using enum Need;
  asked_ = surroundings_.clock.now().instant;
  ask({"TIME"}, "TIME", kMust, &Witness::take_time);
  ask({"ROLE"}, "ROLE", kMust, &Witness::take_role);
  ask({"CLUSTER", "SLOTS"}, "CLUSTER SLOTS", kMust, &Witness::take_slots);
  ask({"ACL", "WHOAMI"}, "ACL WHOAMI", kMay, &Witness::take_user);
  ask({"INFO"}, "INFO", kMay, &Witness::take_info);
  ask({"CLUSTER", "INFO"}, "CLUSTER INFO", kMay, &Witness::take_cluster);
  ask({"CLUSTER", "NODES"}, "CLUSTER NODES", kMay, &Witness::take_nodes);
  // One by one, as servers before 7.0 take them.
  for (const std::string_view setting :
       {"min-replicas-to-write", "cluster-require-full-coverage", "cluster-node-timeout",
        "hash-max-listpack-value", "hash-max-listpack-entries"}) {
    ask({"CONFIG", "GET", setting}, "CONFIG GET", kMay, &Witness::take_config);
  }
  ask({"SCRIPT", "LOAD", source_of(engine::Script::kChange)}, "SCRIPT LOAD", kMust,
      &Witness::take_script);
  connection_.flush();
}

// What a box does, with a key of ours.
void Witness::try_all() {
  using enum Need;
  tried_ = true;
  if (facts_.role != ServerFacts::Role::kPrimary || script_.empty()) return;
  const auto slot = topology_ ? topology_->slot_owned_by(facts_.address) : engine::Slot{0};
  if (!slot) return;  // a primary without slots
  probe_key_ = text::format("{}:check:{{{}}}", name_, engine::tag_of(*slot));
  engine::Change change;
  change.fields = {{"checked", "1"}, {"gone", std::nullopt}};
  change.expiry = {engine::Expiry::Kind::kAtLeast, kProbeKept};
  const auto with_key = [this](Words words, const std::vector<std::string>& arguments) {
    words.insert(words.end(), {"1", probe_key_});
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  };
  const auto arguments = arguments_of(change);
  change.fields.clear();
  change.guards = {{"checked", "0"}};
  change.expiry = {engine::Expiry::Kind::kForGood, {}};
  const auto refused = arguments_of(change);
  change.guards = {{"checked", std::nullopt}};
  const auto absent = arguments_of(change);
  change.guards = {{"checked", "1"}};
  const auto for_good = arguments_of(change);
  change.guards.clear();
  change.expiry = {engine::Expiry::Kind::kAtLeast, kProbeKept};
  const auto for_a_while = arguments_of(change);
  const std::string source(source_of(engine::Script::kChange));
  const std::string reading(source_of(engine::Script::kRead));
  ask(with_key({"EVALSHA", script_}, arguments), "EVALSHA", kMust, &Witness::take_nothing);
  for (const auto& of_kind : {refused, absent, for_good, for_a_while}) {
    ask(with_key({"EVAL", source}, of_kind), "EVAL", kMust, &Witness::take_nothing);
  }
  ask(with_key({"EVAL", reading}, {}), "EVAL", kMust, &Witness::take_nothing);
  ask(with_key({"EVAL", reading}, {"checked"}), "EVAL", kMust, &Witness::take_nothing);
  ask({"WAIT", "0", "1"}, "WAIT", kMust, &Witness::take_nothing);
  if (facts_.in_cluster) {
    ask({"ASKING"}, "ASKING", kMust, &Witness::take_nothing);
    const text::Digits number(*slot);
    ask({"CLUSTER", "GETKEYSINSLOT", number.view(), "1"}, "CLUSTER GETKEYSINSLOT", kMust,
        &Witness::take_nothing);
  } else {
    ask({"SCAN", "0", "COUNT", "1"}, "SCAN", kMust, &Witness::take_nothing);
  }
  connection_.flush();
}

// --- answers ---

namespace {

bool is_about_rights(std::string_view error) {
  return error.starts_with("NOPERM") || error.find("ACL failure") != std::string_view::npos ||
         error.find("The user executing the script") != std::string_view::npos;
}

// A command that there is not in this mode, or in this version, says nothing about rights.
bool is_unknown_here(std::string_view error) {
  return error.find("cluster support disabled") != std::string_view::npos ||
         error.starts_with("ERR unknown") || error.starts_with("ERR Unknown");
}

}  // namespace

void Witness::on_answer(const std::string& command, Need need, Take take,
                        engine::Connection::Answer&& answer) {
  if (over_ || !answer) return;
  --waiting_;
  if (!answer->is_error()) {
    (this->*take)(*answer);
  } else if (answer->text.starts_with("NOAUTH")) {
    return connection_.drop(answer->text);
  } else if (!is_unknown_here(answer->text)) {
    on_error(command, need, answer->text);
  }
  if (waiting_ > 0) return;
  if (!tried_) try_all();
  if (waiting_ == 0) over_ = true;
}

void Witness::on_error(const std::string& command, Need need, const std::string& error) {
  if (need == Need::kMay) {
    if (std::ranges::find(facts_.unread, command) == facts_.unread.end()) {
      facts_.unread.push_back(command);
    }
  } else if (!is_about_rights(error)) {
    if (facts_.refusal.empty()) facts_.refusal = error;
  } else if (std::ranges::find(facts_.refused, command, &ServerFacts::Refused::command) ==
             facts_.refused.end()) {
    facts_.refused.push_back({command, error.substr(0, error.find(" script: "))});
  }
}

void Witness::take_info(Reply& reply) { facts_.info = parse_lines(reply.text); }

// ["master", offset, [[host, port, offset]…]], or ["slave", host, port, state, offset].
void Witness::take_role(Reply& reply) {
  const auto role = engine::parse_role(reply);
  if (!role) return;
  const auto& parts = reply.elements;
  if (*role == engine::Role::kPrimary) {
    facts_.role = ServerFacts::Role::kPrimary;
    if (parts.size() < 3 || !parts[2].is_array()) return;
    for (const Reply& each : parts[2].elements) {
      if (auto follower = follower_of(each)) facts_.replicas.push_back(std::move(*follower));
    }
    return;
  }
  facts_.role = ServerFacts::Role::kReplica;
  if (parts.size() < 4 || !parts[2].is_integer() || !parts[3].is_text()) return;
  facts_.primary = address_of(parts[1], parts[2].integer);
  facts_.follows = parts[3].text == "connected";
}

void Witness::take_time(Reply& reply) {
  if (!reply.is_array() || reply.elements.size() != 2) return;
  std::int64_t parts[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string& text = reply.elements[i].text;
    const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), parts[i]);
    if (failed != std::errc() || rest != text.data() + text.size()) return;
  }
  const Millis told(parts[0] * 1000 + parts[1] / 1000);
  const Now now = surroundings_.clock.now();
  const Millis took = now.instant - asked_;
  const Millis offset = told - now.wall().time_since_epoch();
  facts_.clock = FleetStatus::ClockOffset{offset - Millis(1), offset + took + Millis(1)};
}

void Witness::take_config(Reply& reply) {
  if (!reply.is_array()) return;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    facts_.config.emplace(std::move(reply.elements[i].text), std::move(reply.elements[i + 1].text));
  }
}

void Witness::take_cluster(Reply& reply) { facts_.cluster = parse_lines(reply.text); }

// ID host:port@bus flags primary ping pong epoch link slot…, where [slot-<-ID] or [slot->-ID] is
// one that is moved.
void Witness::take_nodes(Reply& reply) {
  for (const std::string_view line : split(reply.text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() < kBeforeSlots) continue;
    const auto flags = split(words[2], ',');
    const auto has = [&flags](std::string_view flag) {
      return std::ranges::find(flags, flag) != flags.end();
    };
    const auto node = node_of(words[1]);
    if (node && !has("myself")) nodes_.push_back(*node);
    if (node && has("fail")) facts_.given_up.push_back(*node);
    if (!has("myself")) continue;
    facts_.owns_slots = words.size() > kBeforeSlots;
    facts_.half_moved = static_cast<std::size_t>(
        std::ranges::count_if(words, [](std::string_view word) { return word.starts_with('['); }));
  }
}

void Witness::take_slots(Reply& reply) {
  facts_.in_cluster = true;
  topology_ = engine::Topology::parse(reply, facts_.address);
}

void Witness::take_user(Reply& reply) { facts_.user = std::move(reply.text); }

void Witness::take_script(Reply& reply) { script_ = std::move(reply.text); }

}  // namespace concur
