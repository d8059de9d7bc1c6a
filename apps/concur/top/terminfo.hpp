#pragma once

#include "base/result.hpp"

#include <string_view>

namespace concur::cli {

// Whether the terminal that TERM names can do what a screen takes, asked before ncurses is started:
// where it cannot, that would end the program, or write line under line. kAbsent then.
Result<void> check_terminal();

Error cannot_draw(std::string_view why);

}  // namespace concur::cli
