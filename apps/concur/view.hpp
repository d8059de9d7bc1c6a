#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// One answer, as the daemon's bytes or as a table for people. kCorrupt where it cannot be read as
// what it should be.
Result<ExitCode> run_view(Client& client, const Report& report);
Result<ExitCode> run_view(Client& client, const Status& status);
Result<ExitCode> run_view(Client& client, const FleetShow& show);
// kInvalid where something is to be mended.
Result<ExitCode> run_view(Client& client, const FleetCheck& check);

}  // namespace concur::cli
