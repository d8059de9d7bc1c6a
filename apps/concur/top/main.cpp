// What `concur top` becomes. usage: concur-top TIMEOUT INTERVAL SOCKET..., in milliseconds, as
// exec_top() gives them.

#include "base/text.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "top/live.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <exception>
#include <optional>
#include <string_view>

namespace concur::cli {

namespace {

// Long enough for a daemon that answers at all: the screen shows soon that it does
// not, and it is asked again anyway.
constexpr Millis kMaxSilence{2000};

std::optional<Millis> read_millis(std::string_view text) {
  Millis::rep value = 0;
  const auto [rest, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || rest != text.data() + text.size() || value <= 0) return std::nullopt;
  return Millis(value);
}

Result<ExitCode> run_args(std::vector<std::string> args) {
  const auto timeout = args.size() > 2 ? read_millis(args[0]) : std::nullopt;
  const auto interval = args.size() > 2 ? read_millis(args[1]) : std::nullopt;
  if (!timeout || !interval) {
    return Error{ErrorKind::kInvalid, "cannot run concur-top by itself: it is for concur top"};
  }
  args.erase(args.begin(), args.begin() + 2);
  Collector collector(std::move(args), std::min(*timeout, kMaxSilence));

  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  auto input = Input::take(terminal);
  if (!input) return input.error();
  if (terminal) {
    auto opened = Screen::open();
    if (opened) return show_screen(**opened, collector, *input, *interval);
    complain(opened.error().message);
  }
  return print_lines(collector, *input, *interval);
}

}  // namespace

}  // namespace concur::cli

int main(int argc, char** argv) {
  using namespace concur::cli;
  reserve_standard_streams();
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipe, nullptr);
  auto status = ExitCode::kNoAnswer;
  try {
    const auto result = run_args({argv + (argc > 0 ? 1 : 0), argv + argc});
    status = result ? *result : exit_code_of(result.error().kind);
    if (!result) complain(result.error().message);
  } catch (const std::exception& error) {
    complain(concur::text::format("cannot run: {}", error.what()));
  }
  return static_cast<int>(status);
}
