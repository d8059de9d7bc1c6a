#pragma once

#include "fleet/findings.hpp"
#include "fleet/fleet_facts.hpp"

#include <string_view>

namespace concur {

// What is wrong with one server of the engine.
void check_server(const ServerFacts& server, const FleetFacts& facts, Findings& to);

// Why it matters that some users' server cannot be asked.
inline constexpr std::string_view kAwayMatters =
    "users whose sessions such a server holds are counted by each box for itself until it answers, "
    "or another takes its place";

}  // namespace concur
