#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "net/client.hpp"

#include <string>
#include <vector>

namespace concur::cli {

// Runs the command as a session that is kept alive while it runs and ended after it. The exit
// status is the command's own, 128+N where signal N ended it; 126 or 127 where it cannot be run; or
// an ExitCode where the session was refused or is gone. Where it was refused the daemon's answer is
// on standard output, which is the command's alone otherwise.
//
// `sockets` are the client's; another connection there brings the user's events, so that an
// eviction ends the command at once. The client looks after signals from then on.
//
// Does not return where this process was sent the signal that ended the command, or one before the
// command ran: it dies of it.
Result<int> run_session(Client& client, std::vector<std::string> sockets, const Run& run);

}  // namespace concur::cli
