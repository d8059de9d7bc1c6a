#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// Lists over all pages, each written as it comes; a table once the last is there. One page in JSON
// is the daemon's bytes; of several, one document is made. An Error after the first page leaves a
// document that is not ended, so that no reader takes it for the whole.
Result<ExitCode> run_list(Client& client, const List& list);
Result<ExitCode> run_list(Client& client, const LimitList& list);
Result<ExitCode> run_list(Client& client, const BlockList& list);

}  // namespace concur::cli
