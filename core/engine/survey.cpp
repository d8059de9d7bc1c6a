#include "engine/survey.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace concur::engine {

namespace {

// So that one that swallows all does not keep the next survey from asking others.
constexpr int kPatienceDivisor = 2;
constexpr std::string_view kNoCluster = "ERR This instance has cluster support disabled";

}  // namespace

Survey::Survey(const Surroundings& surroundings, const std::vector<Address>& asked)
    : surroundings_(surroundings),
      due_(surroundings.clock.now().instant + surroundings.patience / kPatienceDivisor) {
  for (const Address& address : asked) {
    Witness& witness = *witnesses_.emplace_back(std::make_unique<Witness>());
    witness.connection = std::make_unique<Connection>(
        surroundings, address, Connection::Scripts::kNone, [this, &witness] { ask(witness); },
        [this, &witness] { on_failed(witness, witness.connection->failure()); });
  }
}

void Survey::check_time() {
  if (over_) return;
  const bool late = surroundings_.clock.now().instant >= due_;
  for (const auto& witness : witnesses_) {
    if (witness->answered) continue;
    if (late) {
      on_failed(*witness, "it does not answer");
    } else {
      witness->connection->check_time();
    }
    if (over_) return;
  }
  conclude_if_all_answered();
}

void Survey::flush() {
  for (const auto& witness : witnesses_) {
    if (witness->connection->is_ready()) witness->connection->flush();
  }
}

// --- one of them ---

void Survey::ask(Witness& witness) {
  Connection& connection = *witness.connection;
  connection.send(
      std::array<std::string_view, 2>{"CLUSTER", "SLOTS"},
      [this, &witness](Connection::Answer&& answer) { on_slots(witness, std::move(answer)); });
  connection.send(
      std::array<std::string_view, 1>{"ROLE"},
      [this, &witness](Connection::Answer&& answer) { on_role(witness, std::move(answer)); });
  connection.flush();
}

void Survey::on_slots(Witness& witness, Connection::Answer&& answer) {
  if (over_ || witness.answered || !answer) return;
  if (answer->is_error()) {
    if (!answer->text.starts_with(kNoCluster)) return on_failed(witness, answer->text);
    mode_ = Mode::kSingle;
    return;
  }
  auto topology = Topology::parse(*answer, witness.connection->address());
  if (!topology) return on_failed(witness, "its answer to CLUSTER SLOTS is none");
  if (mode_ == Mode::kSingle)
    return on_failed(witness, "it is in cluster mode, and others are not");
  mode_ = Mode::kCluster;
  if (topology->primaries().empty())
    return on_failed(witness, "no slot of its cluster has a primary");
  topology_ = std::move(topology);
  over_ = true;
}

void Survey::on_role(Witness& witness, Connection::Answer&& answer) {
  if (over_ || witness.answered || !answer) return;
  witness.role = parse_role(*answer);
  if (!witness.role) {
    return on_failed(witness, answer->is_error() ? answer->text : "its answer to ROLE is none");
  }
  witness.answered = true;
  conclude_if_all_answered();
}

void Survey::on_failed(Witness& witness, std::string cause) {
  if (over_ || witness.answered) return;
  witness.answered = true;
  witness.failure = std::move(cause);
  conclude_if_all_answered();
}

// --- all of them ---

void Survey::conclude_if_all_answered() {
  if (over_ || !std::ranges::all_of(witnesses_, [](const auto& w) { return w->answered; })) return;
  over_ = true;
  if (mode_ == Mode::kSingle) conclude_single();
  if (topology_ || !cause_.empty()) return;
  for (const auto& witness : witnesses_) {
    const std::string address = to_text(witness->connection->address());
    text::append(cause_, "{}{}: {}", cause_.empty() ? "" : "; ", address,
                 witness->failure.empty() ? "it is a replica" : witness->failure);
  }
}

void Survey::conclude_single() {
  std::vector<Address> primaries;
  for (const auto& witness : witnesses_) {
    if (witness->role == Role::kPrimary) primaries.push_back(witness->connection->address());
  }
  if (primaries.size() == 1) topology_ = Topology::of_one(primaries.front());
  has_rivals_ = primaries.size() > 1;
  if (!has_rivals_) return;
  cause_ =
      text::format("{} and {} both say that they are primaries: make one a replica of the other",
                   to_text(primaries[0]), to_text(primaries[1]));
}

}  // namespace concur::engine
