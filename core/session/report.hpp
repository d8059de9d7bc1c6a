#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace concur {

// What is asked of the record of who shares.
struct ReportQuery {
  Millis back{};                      // how far back, in whole hours, the present one included
  std::uint32_t top = 20;             // how many users
  std::optional<std::string> user{};  // only this one, and hour by hour
  std::optional<std::uint32_t> what_if_limit{};
};

// A user's figures, of one hour or of them all.
struct UsageReport {
  std::string user;
  std::int64_t hour = 0;  // since 1970
  std::uint64_t starts = 0;
  std::uint64_t denials = 0;
  std::uint64_t evictions = 0;
  std::uint64_t peak = 0;
  std::uint64_t attempted = 0;
  std::uint64_t score = 0;  // by how many streams too many were wanted at once, over the hours
  std::uint64_t devices = 0;
  std::uint64_t addresses = 0;
  std::uint64_t conflicts = 0;
  std::map<std::string, std::uint64_t> by_rule{};  // of the denials, those by rules; of all hours

  bool operator==(const UsageReport&) const = default;
};

struct Report {
  WallTime since;
  std::vector<UsageReport>
      users;  // those who were refused or evicted, or had conflicts; the highest score first
  std::vector<UsageReport> hours;  // of the one user asked for, in order
  // How many users reached each number of streams at once, and how many would have, had nobody been
  // refused or evicted.
  std::map<std::uint64_t, std::uint64_t> reached;
  std::map<std::uint64_t, std::uint64_t> attempted;
  std::map<std::string, std::uint64_t> by_rule;  // denials of all users by rules, the limit apart
  std::uint64_t would_be_refused = 0;            // users who wanted more than what_if_limit
};

}  // namespace concur
