#pragma once

#include "terminal.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur::cli {

// What `fleet` of a status says, line by line: a subject and a text. Empty where it is none.
using SubjectLines = std::vector<std::pair<const char*, std::string>>;
SubjectLines fleet_lines(const boost::json::object& fleet);

// The daemon's answers to concur fleet status and concur fleet check as people read them. Nothing
// where they are none.
std::optional<std::string> fleet_text(std::string_view answer, const Terminal& terminal);
std::optional<std::string> fleet_check_text(std::string_view answer, const Terminal& terminal);

}  // namespace concur::cli
