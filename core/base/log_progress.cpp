#include "base/log_progress.hpp"

#include "base/terminal_progress.hpp"

namespace concur {

std::unique_ptr<ProgressDisplay> daemon_progress(Logger& log) {
  if (auto terminal = terminal_progress()) return terminal;
  return std::make_unique<LogProgress>(log);
}

}  // namespace concur
