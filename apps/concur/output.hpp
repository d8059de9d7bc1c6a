#pragma once

#include "base/result.hpp"

#include <string_view>

namespace concur::cli {

// Keeps descriptors 0 to 2 from being given to a socket where the caller closed them: then writing
// to standard output fails, as it should, and nothing is written into the connection. Call it
// before anything is opened.
void reserve_standard_streams();

// Writes all of it to standard output. kUnavailable where that fails, but as output_error() says.
Result<void> write_output(std::string_view text);

// What is the matter with standard output, by errno. Where nobody reads it any more (EPIPE) this
// does not return: the process dies of SIGPIPE, silently, as other programs in a pipeline do,
// unless whoever called it has it ignore that signal.
Error output_error(int error);

// Writes `concur: message` and a newline to standard error, as one line whatever the message holds.
void complain(std::string_view message);

}  // namespace concur::cli
