#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// Asks the daemon and writes its answer to standard output. An Error where there is no answer, or
// the daemon failed, or the answer could not be written.
Result<ExitCode> run(Client& client, const Command& command);

}  // namespace concur::cli
