#pragma once

#include "base/result.hpp"
#include "exit_code.hpp"
#include "top/collector.hpp"
#include "top/input.hpp"
#include "top/screen.hpp"

namespace concur::cli {

// Both go on without an answer, and end as `concur watch` does: kDone at a signal or the key q. An
// Error where the daemon can never be asked, or standard output takes nothing more.
Result<ExitCode> show_screen(Screen& screen, Collector& collector, Input& input, Millis interval);
Result<ExitCode> print_lines(Collector& collector, Input& input, Millis interval);

}  // namespace concur::cli
