#include "exit_code.hpp"

#include <doctest/doctest.h>

namespace concur::cli {
namespace {

TEST_CASE("exit_code_of an answer's status") {
  SUBCASE("allowed or done") {
    for (const int status : {200, 201, 204}) CHECK(exit_code_of(status, false) == ExitCode::kDone);
  }
  SUBCASE("refused: by the limit, or because the user starts too often") {
    for (const int status : {409, 429}) {
      CHECK(exit_code_of(status, false) == ExitCode::kDenied);
      CHECK(exit_code_of(status, true) == ExitCode::kDenied);
    }
  }
  SUBCASE("the session's absence is told apart only where it was to go on") {
    for (const int status : {404, 410}) {
      CHECK(exit_code_of(status, true) == ExitCode::kNoSession);
      CHECK(exit_code_of(status, false) == ExitCode::kInvalid);
    }
  }
  SUBCASE("what is not to be had here is to be fixed, too") {
    CHECK(exit_code_of(501, false) == ExitCode::kInvalid);
    CHECK(exit_code_of(ErrorKind::kUnsupported) == ExitCode::kInvalid);
  }
  SUBCASE("not permitted, invalid, and no answer") {
    CHECK(exit_code_of(403, false) == ExitCode::kForbidden);
    for (const int status : {400, 405, 413}) {
      CHECK(exit_code_of(status, false) == ExitCode::kInvalid);
    }
    for (const int status : {301, 500, 503}) {
      CHECK(exit_code_of(status, false) == ExitCode::kNoAnswer);
    }
  }
}

}  // namespace
}  // namespace concur::cli
