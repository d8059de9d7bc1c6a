#include "fleet/inspection.hpp"

#include "engine/slot.hpp"
#include "fleet/check.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace concur {

namespace {

constexpr Millis kTick{25};

std::size_t unowned_in(const engine::Topology& topology) {
  std::size_t count = 0;
  for (engine::Slot slot = 0; slot < engine::kSlots; ++slot) {
    count += topology.owner(slot) == nullptr ? 1 : 0;
  }
  return count;
}

void add_tried(ServerFacts& to, ServerFacts& from) {
  for (auto& refused : from.refused) to.refused.push_back(std::move(refused));
  if (to.refusal.empty()) to.refusal = std::move(from.refusal);
}

}  // namespace

Inspection::Inspection(Turn& turn, const Clock& clock, engine::Dialer& dialer, engine::Login login,
                       FleetConfig config)
    : surroundings_{turn, clock, dialer, std::move(login), kConnectPatience},
      config_(std::move(config)),
      due_(clock.now().instant + kPatience) {
  for (const engine::Address& seed : config_.seeds) add(seed, true);
}

void Inspection::add(const engine::Address& address, bool is_seed) {
  const auto known = [&address](const auto& witness) {
    return witness->facts().address == address;
  };
  if (witnesses_.size() >= kMaxServers || std::ranges::any_of(witnesses_, known)) return;
  witnesses_.push_back(std::make_unique<Witness>(surroundings_, config_.name, address, is_seed));
}

// Whom it names.
void Inspection::add_others(const Witness& witness) {
  if (const auto& topology = witness.topology()) {
    for (const engine::Address& primary : topology->primaries()) add(primary, false);
    for (const engine::Address& replica : topology->replicas()) add(replica, false);
  }
  for (const engine::Address& node : witness.nodes()) add(node, false);
  const ServerFacts& facts = witness.facts();
  for (const engine::Address& replica : facts.replicas) add(replica, false);
  if (facts.primary) add(*facts.primary, false);
}

void Inspection::check_time() {
  if (over_) return;
  const bool late = surroundings_.clock.now().instant >= due_;
  for (std::size_t i = 0; i < witnesses_.size(); ++i) {  // more come meanwhile
    Witness& witness = *witnesses_[i];
    if (late) witness.give_up();
    witness.check_time();
    if (witness.is_over() && !late) add_others(witness);
  }
  over_ = std::ranges::all_of(witnesses_, &Witness::is_over);
}

// A server that is known by several names is there once, by the first of them, with what came of
// all of them: it is tried by the name that the cluster has for it.
FleetFacts Inspection::take_facts() {
  FleetFacts facts;
  std::map<std::string, std::size_t, std::less<>> seen;
  const engine::Topology* topology = nullptr;
  for (const auto& witness : witnesses_) {
    if (topology == nullptr && witness->topology()) topology = &*witness->topology();
    const std::string_view id = witness->run_id();
    const auto [known, is_new] = seen.emplace(id, facts.servers.size());
    if (id.empty() || is_new) {
      facts.servers.push_back(std::move(witness->facts()));
    } else {
      add_tried(facts.servers[known->second], witness->facts());
    }
  }
  if (topology != nullptr) facts.unowned = unowned_in(*topology);
  facts.config = std::move(config_);
  return facts;
}

FleetChecker::FleetChecker(boost::asio::io_context& loop, Turn& turn, const Clock& clock,
                           engine::Dialer& dialer)
    : turn_(turn), clock_(clock), dialer_(dialer), timer_(loop) {}

void FleetChecker::check(const FleetConfig& config, const engine::Login& login,
                         std::vector<FleetStatus::Box> boxes, Service::CheckReply reply) {
  if (reply_) {
    return reply(
        Error{ErrorKind::kUnavailable, "cannot check the fleet: another check is under way"});
  }
  boxes_ = std::move(boxes);
  reply_ = std::move(reply);
  inspection_ = std::make_unique<Inspection>(turn_, clock_, dialer_, login, config);
  tick();
}

void FleetChecker::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled || !inspection_) return;
    turn_.run([this] { inspection_->check_time(); });
    if (inspection_->is_over()) return conclude();
    tick();
  });
}

void FleetChecker::conclude() {
  FleetFacts facts = inspection_->take_facts();
  inspection_.reset();
  facts.boxes = std::move(boxes_);
  const Service::CheckReply reply = std::move(*reply_);
  reply_.reset();
  turn_.run([&] { reply(check_of(facts)); });
}

void FleetChecker::stop() {
  timer_.cancel();
  inspection_.reset();
  if (!reply_) return;
  const Service::CheckReply reply = std::move(*reply_);
  reply_.reset();
  reply(Error{ErrorKind::kUnavailable, "cannot check the fleet: the daemon is stopping"});
}

}  // namespace concur
