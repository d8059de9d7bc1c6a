#pragma once

#include "base/clock.hpp"
#include "sharers.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace concur::cli {

struct LiveRate {
  const char* name;
  std::uint64_t total = 0;
  double now = 0;          // a second, since the snapshot before
  double last_minute = 0;  // a second
};

struct Sharer {
  Usage usage;                            // of the last hour
  std::optional<std::uint64_t> active{};  // sessions at this moment; none: it is not known
  std::uint64_t limit = 0;
};

struct Denial {
  WallTime at;
  std::string user;
  std::string session;
  std::uint64_t active = 0;
  std::uint64_t limit = 0;
};

// What the screen shows. Texts are printable.
struct Snapshot {
  WallTime taken;
  std::string no_answer;  // why there was none; the rest is then what the last answer said
  bool known = false;     // the daemon has answered once

  std::string version;
  std::string health;  // `ok`, or with its trouble
  std::string on_limit;
  std::string mode;
  Millis uptime{};
  Millis lease{};
  std::uint64_t limit = 0;
  std::uint64_t sessions = 0;
  std::uint64_t users = 0;
  std::uint64_t connections = 0;
  std::uint64_t database_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::array<LiveRate, 4> rates{{{"starts"}, {"denials"}, {"heartbeats"}, {"ends"}}};

  std::vector<Sharer> sharers;
  std::string no_sharers;      // why they are not shown
  std::deque<Denial> denials;  // the newest first
  std::string no_denials;      // why they are not shown
};

}  // namespace concur::cli
