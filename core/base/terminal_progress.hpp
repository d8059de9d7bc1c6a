#pragma once

#include "base/progress.hpp"

#include <memory>

namespace concur {

// A line on standard error that is drawn again and again, from one second on, and is gone at the
// end, also where a signal ends the process; null where that is no terminal. It takes no more of a
// terminal than to go back to the beginning of a line (TERM=dumb), and has no colours. One at a
// time. Nothing is drawn while the process is in the background, or the terminal is stopped.
std::unique_ptr<ProgressDisplay> terminal_progress();

}  // namespace concur
