#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "net/client.hpp"

namespace concur::cli {

// Runs the command as a session that is kept alive while it runs and ended after it. The exit
// status is the command's own, 128+N where signal N ended it; 126 or 127 where it cannot be run; or
// an ExitCode where the session was refused or is gone. Where it was refused the daemon's answer is
// on standard output, which is the command's alone otherwise.
//
// The client looks after signals from then on. Does not return where a signal came before the
// command ran.
Result<int> run_session(Client& client, const Run& run);

}  // namespace concur::cli
