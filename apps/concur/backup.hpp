#pragma once

#include "base/result.hpp"
#include "command.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"

namespace concur::cli {

// Writes a copy of the daemon's database to a new file with this process's rights, and prints which
// and how large. The file is there only once it is whole, and on the disk. kInvalid where it cannot
// be made; otherwise the errors are those of Client::open() and of an answer.
Result<ExitCode> run_backup(Client& client, const Backup& backup);

}  // namespace concur::cli
