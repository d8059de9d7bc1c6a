#pragma once

#include "engine/address.hpp"
#include "engine/reply.hpp"
#include "engine/slot.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace concur::engine {

// Which primary owns which slots, as far as is known.
class Topology {
 public:
  Topology();  // nobody owns any

  // A server without cluster mode owns all of them.
  static Topology of_one(Address primary);

  // What `from` answers to CLUSTER SLOTS; a server that it names without a host is `from` itself at
  // another port. None where the answer is not well-formed.
  static std::optional<Topology> parse(const Reply& slots, const Address& from);

  // Null where nobody is known to own it.
  const Address* owner(Slot slot) const;
  // Some slot of that primary; none where it owns none.
  std::optional<Slot> slot_owned_by(const Address& primary) const;

  const std::vector<Address>& primaries() const { return primaries_; }
  const std::vector<Address>& replicas() const { return replicas_; }
  // Whether each slot has the same owner there.
  bool agrees_with(const Topology& other) const;
  // Whether each slot has an owner.
  bool is_whole() const;

  // As a redirect says. It may leave a primary without slots.
  void set_owner(Slot slot, const Address& primary);

 private:
  static constexpr std::uint16_t kNobody = UINT16_MAX;

  std::uint16_t index_of(const Address& primary);

  std::vector<Address> primaries_;
  std::vector<Address> replicas_;
  std::vector<std::uint16_t> owners_;  // by slot: an index into primaries_
};

// Clusters are made of some hundreds of servers at most: what names more is not believed.
inline constexpr std::size_t kMaxServers = 2048;

// What a server without cluster mode answers to ROLE. None where that is not well-formed.
enum class Role { kPrimary, kReplica };
std::optional<Role> parse_role(const Reply& role);

}  // namespace concur::engine
