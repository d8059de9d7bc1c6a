#pragma once

#include "service/fleet_status.hpp"

#include <chrono>

namespace concur::test {

// A box of a fleet that knows one other, and whose engine has a primary that is away.
inline FleetStatus a_fleet() {
  using namespace std::chrono_literals;
  FleetStatus fleet;
  fleet.state = FleetStatus::State::kDegraded;
  fleet.box = "edge-1";
  fleet.box_id = "1f";
  fleet.name = "concur";
  fleet.policy = "aa";
  fleet.ack = "replica";
  fleet.unavailable = "local";
  fleet.primaries = {{"10.0.0.1:6379", true, "", FleetStatus::ClockOffset{-5ms, 7ms}, false, 3},
                     {"10.0.0.2:6379", false, "it did not answer", {}, true, 0}};
  fleet.others = {{"2f", "edge-2", "0.1.0", "bb", WallTime(1'795'449'600'000ms), true}};
  FleetCounts& counts = fleet.counts;
  counts.requests = {10, 1, 2, 3};
  counts.request_durations.add(200'000);
  counts.conflicts = 4;
  counts.redirects = {5, 6, 7, 8};
  counts.reconnects = 9;
  counts.local_decisions = {11, 12, 13, 14, 15};
  counts.unacknowledged = 16;
  counts.reclaimed = 17;
  return fleet;
}

}  // namespace concur::test
