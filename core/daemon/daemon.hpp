#pragma once

#include "base/log.hpp"
#include "daemon/settings.hpp"

#include <string>

namespace concur {

// Runs the daemon until SIGTERM or SIGINT, then stops in good order. Start-up: locks first, then
// the database, the sessions into memory, and the socket last, so that whoever can connect is
// answered. A socket that the service manager passed (LISTEN_FDS) is used in place of the
// setting's; it is reported to the manager how it goes (NOTIFY_SOCKET, WATCHDOG_USEC). SIGHUP
// resolves the settings from the same inputs again and takes over those that can change. Throws
// StartupError where it cannot start.
void run_daemon(const SettingInputs& inputs, const Effective& effective, const std::string& version,
                Logger& log);

}  // namespace concur
