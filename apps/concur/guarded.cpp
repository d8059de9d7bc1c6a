#include "guarded.hpp"

#include "base/text.hpp"
#include "exit_code.hpp"
#include "output.hpp"

#include <csignal>
#include <exception>

namespace concur::cli {

void prepare_output() {
  // Blocked rather than ignored: a write then fails as well, and what concur runs does not inherit
  // it.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipe, nullptr);
  reserve_standard_streams();
}

int guarded(const std::function<Result<int>()>& work) {
  int status = static_cast<int>(ExitCode::kNoAnswer);
  try {
    const auto result = work();
    status = result ? *result : static_cast<int>(exit_code_of(result.error().kind));
    if (!result) complain(result.error().message);
  } catch (const std::exception& error) {
    complain(text::format("cannot run: {}", error.what()));
  }
  return status;
}

}  // namespace concur::cli
