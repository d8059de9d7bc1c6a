#pragma once

#include "base/callback.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "fleet/walk.hpp"
#include "session/change.hpp"
#include "session/usage.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace concur {

// The fleet's record of who shares, in the engine: a hash for each user and day, in it a field for
// each hour and box, which that box alone writes, and over and over: its own sum of the hour. So
// nothing is counted twice, whatever is repeated. Only hours that show something are written: a
// denial, an eviction, a conflict, or two streams at once. For the loop's thread alone.
class FleetRecord {
 public:
  static constexpr std::size_t kWritesAtOnce = 64;
  static constexpr std::size_t kMaxKnown = 1'000'000;  // users' hours that are summed up here

  // Each user's hour once, the boxes' parts of it brought together.
  using Hours = std::vector<AddUsage>;

  // All must outlive it.
  FleetRecord(engine::Engine& engine, const Clock& clock, std::string prefix, Millis timeout,
              std::uint64_t box, Millis history);

  void keep(Millis history) { history_ = history; }

  // A part of what happened at this box.
  void add(const AddUsage& part);
  // To be called often: writes what has changed.
  void tick();

  // What all boxes recorded from that hour (since 1970) on, of one user or of all. kUnavailable
  // where the engine cannot be asked.
  void collect(std::int64_t first_hour, const std::optional<std::string>& user,
               std::function<void(Result<Hours>)> done);

 private:
  using Hour = std::pair<std::string, std::int64_t>;  // of a user
  struct Known {
    Usage usage;
    bool queued = false;
  };
  struct Collecting;

  std::string key_of(std::string_view user, std::int64_t day) const;
  void write(const Hour& hour);
  void forget_old(std::int64_t hour);
  void go_on(const std::shared_ptr<Collecting>& collecting, const engine::WalkPosition& from);
  void read_days(const std::shared_ptr<Collecting>& collecting, const std::string& user);
  void take_of(Collecting& collecting, const std::string& user, const engine::Fields& fields) const;

  engine::Engine& engine_;
  const Clock& clock_;
  std::string prefix_;
  Millis timeout_;
  std::string suffix_;  // of this box's fields: who it is, and which of its runs
  Millis history_;
  Walk walk_;
  std::map<Hour, Known> known_;
  std::deque<Hour> to_write_;
  std::size_t writing_ = 0;
  std::int64_t last_hour_ = 0;
};

}  // namespace concur
