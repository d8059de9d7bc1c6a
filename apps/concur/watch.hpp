#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// Prints events until SIGINT or SIGTERM, which end the process with 0. An Error where the events
// end by themselves, or cannot be printed; what else the daemon answers is passed on.
Result<ExitCode> run_watch(Client& client, const Watch& watch);

}  // namespace concur::cli
