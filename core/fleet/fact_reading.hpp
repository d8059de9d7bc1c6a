#pragma once

#include "fleet/fleet_facts.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What is read out of the facts, and how a server's administrator is told what to type.
namespace concur::facts {

// Empty where it was not said.
std::string_view value_of(const FactMap& facts, std::string_view name);
// None where it was not said, or is no number.
std::optional<std::uint64_t> number_of(const FactMap& facts, std::string_view name);

bool is_valkey(const ServerFacts& server);
// "valkey 8.1.0"; empty where it is not known.
std::string version_of(const ServerFacts& server);
bool is_loopback(const engine::Address& address);
bool any_in_cluster(const FleetFacts& facts);

// A command for the engine's own client, as it is typed for that server.
std::string typed(const ServerFacts& server, const FleetFacts& facts, std::string_view command);
// One that changes a setting of the server, and one that keeps it over a restart.
std::vector<std::string> set_and_keep(const ServerFacts& server, const FleetFacts& facts,
                                      std::string_view setting);

}  // namespace concur::facts
