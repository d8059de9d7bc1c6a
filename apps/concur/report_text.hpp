#pragma once

#include "terminal.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// The daemon's report as people read it: who shares, most first; how many users reached and tried
// how many streams at once, or of one user the hours; and what another limit would have done.
// Nothing where the text is no report.
std::optional<std::string> report_text(std::string_view answer, const Terminal& terminal);

// What the member `whatIf` of a report says, in a sentence without its full stop.
std::string what_if_text(const boost::json::object& what_if);

}  // namespace concur::cli
