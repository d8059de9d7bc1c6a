#pragma once

#include "base/result.hpp"
#include "options.hpp"

namespace concur::cli {

// Asks the daemon and writes its answer to standard output. The exit status: an ExitCode, or after
// `concur run` the command's own. An Error where there is no answer, or the daemon failed, or the
// answer could not be written.
Result<int> run(const Options& options);

}  // namespace concur::cli
