#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// Sends the lines of standard input and prints their answers, both as they come, in as many
// requests as it takes. kInvalid where each line has its answer and at least one says that its
// line was invalid. An Error where not each line has its answer, once those there are were printed.
Result<ExitCode> run_batch(Client& client, const Batch& batch);

}  // namespace concur::cli
