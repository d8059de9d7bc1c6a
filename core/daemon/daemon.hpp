#pragma once

#include "base/log.hpp"
#include "daemon/settings.hpp"

#include <string>

namespace concur {

// Runs the daemon until SIGTERM or SIGINT, then stops in good order. Start-up: locks first, then
// the database, the sessions into memory, and the socket last, so that whoever can connect is
// answered. SIGHUP resolves the settings from the same inputs again and takes over those that can
// change. Throws StartupError where it cannot start.
void run_daemon(const SettingInputs& inputs, const Effective& effective, const std::string& version,
                Logger& log);

}  // namespace concur
