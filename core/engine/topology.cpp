#include "engine/topology.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace concur::engine {

namespace {

constexpr std::int64_t kMaxPort = 65535;

bool is_integer_within(const Reply& reply, std::int64_t lowest, std::int64_t highest) {
  return reply.is_integer() && reply.integer >= lowest && reply.integer <= highest;
}

// [host, port, …]. A server that does not know how it is reached names itself "" or nil, and one
// whose place is unknown to it "?".
std::optional<Address> parse_server(const Reply& server, const Address& from) {
  if (!server.is_array() || server.elements.size() < 2) return std::nullopt;
  const Reply& host = server.elements[0];
  const Reply& port = server.elements[1];
  if ((!host.is_text() && host.kind != Reply::Kind::kNil) ||
      !is_integer_within(port, 1, kMaxPort)) {
    return std::nullopt;
  }
  Address address{host.text.empty() ? from.host : host.text,
                  static_cast<std::uint16_t>(port.integer)};
  const auto parsed = parse_address(to_text(address));
  if (!parsed || *parsed != address) return std::nullopt;  // as where it is "?"
  return address;
}

}  // namespace

Topology::Topology() : owners_(kSlots, kNobody) {}

Topology Topology::of_one(Address primary) {
  Topology topology;
  topology.primaries_.push_back(std::move(primary));
  std::ranges::fill(topology.owners_, std::uint16_t{0});
  return topology;
}

// [[first slot, last slot, primary, replica…]…]
std::optional<Topology> Topology::parse(const Reply& slots, const Address& from) {
  if (!slots.is_array()) return std::nullopt;
  Topology topology;
  for (const Reply& range : slots.elements) {
    if (!range.is_array() || range.elements.size() < 3 ||
        !is_integer_within(range.elements[0], 0, kSlots - 1) ||
        !is_integer_within(range.elements[1], range.elements[0].integer, kSlots - 1)) {
      return std::nullopt;
    }
    const auto primary = parse_server(range.elements[2], from);
    if (!primary) continue;  // its slots have no owner that could be asked
    const std::uint16_t index = topology.index_of(*primary);
    const auto first = topology.owners_.begin();
    std::fill(first + range.elements[0].integer, first + range.elements[1].integer + 1, index);
    for (std::size_t i = 3; i < range.elements.size(); ++i) {
      const auto replica = parse_server(range.elements[i], from);
      if (replica && std::ranges::find(topology.replicas_, *replica) == topology.replicas_.end()) {
        topology.replicas_.push_back(*replica);
      }
    }
    if (topology.primaries_.size() + topology.replicas_.size() > kMaxServers) return std::nullopt;
  }
  return topology;
}

const Address* Topology::owner(Slot slot) const {
  const std::uint16_t index = owners_[slot % kSlots];
  return index == kNobody ? nullptr : &primaries_[index];
}

std::optional<Slot> Topology::slot_owned_by(const Address& primary) const {
  const auto known = std::ranges::find(primaries_, primary);
  const auto owned = std::ranges::find(owners_, known - primaries_.begin());
  if (owned == owners_.end() || known == primaries_.end()) return std::nullopt;
  return static_cast<Slot>(owned - owners_.begin());
}

bool Topology::agrees_with(const Topology& other) const {
  for (Slot slot = 0; slot < kSlots; ++slot) {
    const Address* const here = owner(slot);
    const Address* const there = other.owner(slot);
    if ((here == nullptr) != (there == nullptr)) return false;
    if (here != nullptr && *here != *there) return false;
  }
  return true;
}

bool Topology::is_whole() const { return std::ranges::find(owners_, kNobody) == owners_.end(); }

void Topology::set_owner(Slot slot, const Address& primary) {
  if (primaries_.size() < kMaxServers) owners_[slot % kSlots] = index_of(primary);
}

std::uint16_t Topology::index_of(const Address& primary) {
  const auto known = std::ranges::find(primaries_, primary);
  if (known != primaries_.end()) return static_cast<std::uint16_t>(known - primaries_.begin());
  primaries_.push_back(primary);
  return static_cast<std::uint16_t>(primaries_.size() - 1);
}

std::optional<Role> parse_role(const Reply& role) {
  if (!role.is_array() || role.elements.empty() || !role.elements[0].is_text()) return std::nullopt;
  const std::string_view word = role.elements[0].text;
  if (word == "master") return Role::kPrimary;
  if (word == "slave" || word == "replica") return Role::kReplica;
  return std::nullopt;
}

}  // namespace concur::engine
