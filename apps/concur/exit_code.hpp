#pragma once

#include "base/result.hpp"

namespace concur::cli {

// What a script branches on; concur(1), EXIT STATUS.
enum class ExitCode {
  kDone = 0,
  kDenied = 1,
  kInvalid = 2,
  kNoAnswer = 3,
  kForbidden = 4,
  kNoSession = 5,
};

// For a command that got no answer.
ExitCode exit_code_of(ErrorKind kind);

// For the status of an answer. Only where a session is to go on does its absence have a code of its
// own.
ExitCode exit_code_of(int status, bool continues_session);

}  // namespace concur::cli
