#pragma once

#include "text_table.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// What a report says of one user, or of one hour of that user.
struct Usage {
  std::string name;  // the user, or the hour
  std::uint64_t score = 0;
  std::uint64_t starts = 0;
  std::uint64_t denials = 0;
  std::uint64_t evictions = 0;
  std::uint64_t peak = 0;
  std::uint64_t attempted = 0;
  std::uint64_t devices = 0;
  std::uint64_t addresses = 0;
  std::uint64_t conflicts = 0;
};

// Of the array `list`, in its order. `name` is the member that says whose figures they are.
// Nothing where there is no such list.
std::optional<std::vector<Usage>> usages_of(const boost::json::object& report,
                                            std::string_view list, std::string_view name);

// A column of one figure, and one of its bars: each figure's share of the largest.
using Figure = std::uint64_t Usage::*;
TextColumn figure_column(const char* title, const std::vector<Usage>& rows, Figure figure);
TextColumn bar_column(const std::vector<std::uint64_t>& figures);
TextColumn bar_column(const std::vector<Usage>& rows, Figure figure);

// Rank, user and score with its bar: how a table of sharers begins.
void add_ranked_users(TextTable& table, const std::vector<Usage>& users);
// Starts, denials, evictions, peak, attempted, devices and addresses.
void add_figures(TextTable& table, const std::vector<Usage>& rows);

}  // namespace concur::cli
