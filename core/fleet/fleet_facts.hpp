#pragma once

#include "base/clock.hpp"
#include "engine/address.hpp"
#include "fleet/fleet_config.hpp"
#include "service/fleet_status.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Names and values, as INFO, CONFIG GET and CLUSTER INFO have them.
using FactMap = std::map<std::string, std::string, std::less<>>;

// A server of the engine, as it answers.
struct ServerFacts {
  enum class Role : std::uint8_t { kUnknown, kPrimary, kReplica };

  // A command, and the error with which it was refused.
  struct Refused {
    std::string command;
    std::string error;
  };

  engine::Address address;
  bool is_seed = false;
  std::string failure;  // why it could not be asked; empty where it could
  FactMap info;
  FactMap config;
  FactMap cluster;  // none where it is not in cluster mode
  bool in_cluster = false;
  Role role = Role::kUnknown;
  bool owns_slots = true;                  // false where it is known to own none
  std::vector<engine::Address> replicas;   // of a primary: who follow it
  std::optional<engine::Address> primary;  // of a replica: whom it follows
  bool follows = false;                    // and it does, at present
  std::string user;                        // as whom it knows us; empty where it did not say
  std::vector<Refused> refused;            // for want of rights: what this box must be able to do
  std::string refusal;              // of a change, for any other reason; empty where there was none
  std::vector<std::string> unread;  // what it could know more by
  std::size_t half_moved = 0;       // slots that it gives away, or takes over
  std::vector<engine::Address> given_up;  // whom it holds for failed
  // Its clock minus this box's.
  std::optional<FleetStatus::ClockOffset> clock;
};

// All that a check of a fleet rests on.
struct FleetFacts {
  FleetConfig config;
  std::vector<ServerFacts> servers;
  std::size_t unowned = 0;              // slots of which no server is known to be the owner
  std::vector<FleetStatus::Box> boxes;  // this one first; none where they are not known
};

}  // namespace concur
