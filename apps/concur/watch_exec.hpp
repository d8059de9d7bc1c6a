#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

#include <string>
#include <vector>

namespace concur::cli {

// Runs `watch.exec` for each event until SIGINT or SIGTERM, whatever becomes of the daemon
// meanwhile; of other signals it dies. An Error where it cannot begin, or the daemon's answer is
// not concurrencyd's; what else the daemon answers is passed on.
Result<ExitCode> run_watch_exec(Client& client, std::vector<std::string> sockets,
                                const Watch& watch);

}  // namespace concur::cli
