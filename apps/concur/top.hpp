#pragma once

#include "base/result.hpp"
#include "options.hpp"

namespace concur::cli {

// Becomes the program that draws the screen of `concur top`, which stands beside this one: so no
// other command pays for loading ncurses. Returns only where that fails.
Error exec_top(const Options& options, const Top& top);

}  // namespace concur::cli
