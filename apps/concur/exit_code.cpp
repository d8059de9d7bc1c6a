#include "exit_code.hpp"

namespace concur::cli {

ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kUnsupported:
      return ExitCode::kInvalid;
    case ErrorKind::kForbidden:
      return ExitCode::kForbidden;
    case ErrorKind::kAbsent:
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout:
    case ErrorKind::kCorrupt:
    case ErrorKind::kInternal:
      return ExitCode::kNoAnswer;
  }
  return ExitCode::kNoAnswer;
}

ExitCode exit_code_of(int status, bool continues_session) {
  if (status >= 200 && status < 300) return ExitCode::kDone;
  // 429 too: a script that plays where there is no answer would play what a player that hammers the
  // daemon is refused.
  if (status == 409 || status == 429) return ExitCode::kDenied;
  if (status == 403) return ExitCode::kForbidden;
  if (continues_session && (status == 404 || status == 410)) return ExitCode::kNoSession;
  // 501: what this daemon cannot do, it will not do later.
  if ((status >= 400 && status < 500) || status == 501) return ExitCode::kInvalid;
  return ExitCode::kNoAnswer;
}

}  // namespace concur::cli
