#pragma once

#include "terminal.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// The daemon's status as people read it, a line a subject. Nothing where the text is no status.
std::optional<std::string> status_text(std::string_view answer, const Terminal& terminal);

}  // namespace concur::cli
