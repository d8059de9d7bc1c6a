#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur::cli {

// The most streams that a user tried to watch at once, by hour of the day in UTC.
using HoursOfDay = std::array<std::uint64_t, 24>;

// Of a report on one user; nothing where the text is none.
std::optional<HoursOfDay> hours_of_day(std::string_view answer);

// The users whom a report names, in its order; nothing where the text is none.
std::optional<std::vector<std::string>> users_of_report(std::string_view answer);

// The daemon's report as a page for a browser: one file that needs no other, runs nothing, and
// shows all that comes from clients as text. `hours` are those of the users at the same place of
// the report, as far as they are known; `made` is when it was asked for. Nothing where the text is
// no report.
std::optional<std::string> report_html(std::string_view answer,
                                       const std::vector<HoursOfDay>& hours, WallTime made);

}  // namespace concur::cli
