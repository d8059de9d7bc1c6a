#pragma once

#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "service/fleet_status.hpp"
#include "session/policy.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace concur {

// Who is in the fleet: each box writes of itself into one hash of the engine, and reads of the
// others. For the loop's thread alone.
class Boxes {
 public:
  static constexpr Millis kWriteAgain{20'000};
  static constexpr Millis kReadAgain{2'000};
  static constexpr Millis kReadSoonest{200};
  static constexpr Millis kForget = std::chrono::hours(24);

  struct Self {
    std::uint64_t id = 0;
    std::string label;
    std::string version;
    std::string policy;  // a digest
  };

  Boxes(engine::Engine& engine, const Clock& clock, const std::string& prefix, Millis timeout,
        Self self);

  // To be called often.
  void tick();
  void set_policy(const std::string& digest);

  const Self& self() const { return self_; }
  // The label of that box; its number where it has not told its label.
  std::string label_of(std::uint64_t id);
  std::vector<FleetStatus::Box> others() const;

 private:
  void write();
  void read();
  void take(const engine::Fields& fields, WallTime now);

  engine::Engine& engine_;
  const Clock& clock_;
  std::string key_;
  Millis timeout_;
  Self self_;
  std::map<std::uint64_t, FleetStatus::Box> others_;
  Instant next_write_{};
  Instant next_read_{};
  Instant read_at_{};
  bool writing_ = false;
  bool reading_ = false;
};

// What must be the same in all boxes of a fleet, as a digest.
std::string digest_of(const Rules& rules);
std::string hex_of(std::uint64_t id);

}  // namespace concur
