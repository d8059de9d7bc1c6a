#pragma once

#include "base/result.hpp"
#include "exit_code.hpp"
#include "net/client.hpp"
#include "request.hpp"

namespace concur::cli {

// The daemon's answer, whatever its status. Beside the client's errors: kCorrupt where something
// else than concurrencyd answered, which must never count as allowed.
Result<HttpAnswer> ask(Client& client, const char* verb, const Request& request);

// Writes the answer's bytes to standard output, ended by a newline. The exit code is its status's;
// a 5xx is an Error as well, since the daemon has not judged the request.
Result<ExitCode> pass_on(const char* verb, const HttpAnswer& answer, bool continues_session);

}  // namespace concur::cli
