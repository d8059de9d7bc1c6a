#pragma once

#include "fleet/fleet_facts.hpp"
#include "service/fleet_findings.hpp"

#include <string>

namespace concur {

// What the facts say about the fleet: its servers, what is wrong and how to mend it, in words for
// those who never ran a Valkey.
FleetFindings check_of(const FleetFacts& facts);

// What a box must be allowed to do, and what it can do more with, as ACL SETUSER takes them.
std::string rights_needed(const FleetConfig& config);
inline constexpr const char* kRightsToCheck =
    "+info +config|get +cluster|info +cluster|nodes +acl|whoami";

// From which version on an engine will do: Redis 7.0, or any Valkey.
inline constexpr int kMinMajorVersion = 7;
// With less, a session takes up to twice the memory there.
inline constexpr std::size_t kMinListpackValue = 256;
inline constexpr std::size_t kMinListpackEntries = 128;

}  // namespace concur
