#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// The daemon's report, in the form and to the place that were asked for: to standard output, or to
// a file, which then is there once it is whole, and which one, and how large, is printed. Errors
// are those of NewFile, of Client::request() and of an answer; kCorrupt where it is no report.
Result<ExitCode> run_report(Client& client, const Report& report);

}  // namespace concur::cli
