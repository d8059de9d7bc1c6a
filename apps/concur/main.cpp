#include "exit_code.hpp"
#include "options.hpp"
#include "output.hpp"
#include "run.hpp"

#include <fmt/format.h>

#include <csignal>
#include <exception>

namespace concur::cli {

namespace {

Result<int> run_args(std::vector<std::string> args) {
  auto parsed = parse_options(std::move(args));
  if (!parsed) return std::move(parsed).error();
  if (const auto* text = std::get_if<Text>(&*parsed)) {
    if (auto written = write_output(text->text); !written) return std::move(written).error();
    return static_cast<int>(ExitCode::kDone);
  }
  return run(std::get<Options>(*parsed));
}

// Blocked rather than ignored: a write then fails as well, and what concur runs does not inherit
// it.
void block_broken_pipes() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipe, nullptr);
}

}  // namespace

}  // namespace concur::cli

int main(int argc, char** argv) {
  using namespace concur::cli;
  block_broken_pipes();
  reserve_standard_streams();
  int status = static_cast<int>(ExitCode::kNoAnswer);
  try {
    const auto result = run_args({argv + (argc > 0 ? 1 : 0), argv + argc});
    status = result ? *result : static_cast<int>(exit_code_of(result.error().kind));
    if (!result) complain(result.error().message);
  } catch (const std::exception& error) {
    complain(fmt::format("cannot run: {}", error.what()));
  }
  return status;
}
