#include "exit_code.hpp"

namespace concur::cli {

ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return ExitCode::kInvalid;
    case ErrorKind::kForbidden:
      return ExitCode::kForbidden;
    case ErrorKind::kAbsent:
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout:
    case ErrorKind::kUnsupported:
    case ErrorKind::kCorrupt:
    case ErrorKind::kInternal:
      return ExitCode::kNoAnswer;
  }
  return ExitCode::kNoAnswer;
}

ExitCode exit_code_of(int status, bool continues_session) {
  if (status >= 200 && status < 300) return ExitCode::kDone;
  if (status == 409) return ExitCode::kDenied;
  if (status == 403) return ExitCode::kForbidden;
  if (continues_session && (status == 404 || status == 410)) return ExitCode::kNoSession;
  // 429: asked for too much just now, which a script cannot fix in its request.
  if (status >= 400 && status < 500 && status != 429) return ExitCode::kInvalid;
  return ExitCode::kNoAnswer;
}

}  // namespace concur::cli
