#pragma once

#include "base/progress.hpp"
#include "service/counts.hpp"
#include "service/fleet_status.hpp"
#include "session/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace concur {

// Of a service that keeps sessions in a database of its own.
struct DatabaseStatus {
  std::string path;
  std::uint64_t bytes = 0;
  std::uint64_t wal_bytes = 0;
  CommitCounts commits;
  std::uint64_t waiting_changes = 0;  // decided, and not stored yet
};

// Where sessions are kept; whoever shows it visits.
using StorageStatus = std::variant<DatabaseStatus>;

struct ServiceStatus {
  std::uint64_t sessions = 0;
  std::uint64_t users = 0;
  // As many as the sweeper met when it last went round; not known in a fleet, and where the limit
  // counts something else than sessions.
  std::optional<std::uint64_t> users_at_limit{};
  std::optional<std::uint64_t> blocks{};  // users kept out; not known in a fleet
  Policy policy;
  std::string trouble;  // as Service::trouble()
  StorageStatus storage;
  std::optional<FleetStatus> fleet;  // of a box of a fleet
  std::uint64_t waiting = 0;         // starts that wait for room
  WaitCounts waits;
  std::vector<WorkState> work;  // that takes long and is under way, or waits for its turn
};

}  // namespace concur
