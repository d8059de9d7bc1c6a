#include "watch.hpp"

#include "answer_values.hpp"
#include "ask.hpp"
#include "base/text.hpp"
#include "output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>

namespace concur::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

extern "C" void exit_done(int /*signal*/) { std::_Exit(0); }

// There is nothing to clean up, and lines are written whole. A signal that is ignored stays so, as
// in the background of a script.
void exit_on_signals() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action.sa_handler = exit_done;
    ::sigaction(signal, &action, nullptr);
  }
}

class Watcher {
 public:
  Watcher(ClientStream stream, Millis timeout)
      : stream_(std::move(stream)), timeout_(timeout), deadline_(SteadyClock::now() + timeout) {}

  Result<ExitCode> run() {
    for (;;) {
      if (auto waited = wait(); !waited) return std::move(waited).error();
      const auto read = stream_.advance(true);
      const bool over = !read || stream_.done();
      if (stream_.answered() && stream_.status() == 200) {
        if (auto printed = print_lines(); !printed) return std::move(printed).error();
        if (over) return ended(read);
      } else if (over) {
        if (!read) return read.error();
        return refused();
      }
    }
  }

 private:
  // For something of the answer, or the end of standard output's reader. An answer of events may
  // take any time once it has begun.
  Result<void> wait() {
    const bool begun = stream_.answered() && stream_.status() == 200;
    const Millis left = begun ? Millis(-1) : left_until(deadline_);
    if (left.count() == 0) return no_answer_within(timeout_, stream_.path());
    pollfd entries[] = {{.fd = stream_.fd(), .events = stream_.events(true), .revents = 0},
                        {.fd = STDOUT_FILENO, .events = 0, .revents = 0}};
    ::poll(entries, 2, static_cast<int>(std::min<Millis::rep>(left.count(), INT_MAX)));
    if (entries[0].revents == 0 && entries[1].revents != 0) {
      return output_error((entries[1].revents & POLLNVAL) != 0 ? EBADF : EPIPE);
    }
    return {};
  }

  Result<void> print_lines() {
    rest_ += stream_.take_body();
    if (!stream_.json() || rest_.size() > kMaxAnswerBody) {
      return Error{ErrorKind::kCorrupt,
                   "cannot watch: the answer is not concurrencyd's, it is not JSON by line; name "
                   "the daemon's socket with --socket"};
    }
    const std::size_t end = rest_.rfind('\n') + 1;
    if (end == 0) return {};
    const std::string_view lines = std::string_view(rest_).substr(0, end);
    auto written = write_output(lines);
    const std::size_t before = lines.substr(0, end - 1).rfind('\n') + 1;
    last_ = lines.substr(before, end - 1 - before);
    rest_.erase(0, end);
    return written;
  }

  Result<ExitCode> refused() {
    auto body = stream_.take_body();
    if (!stream_.json() || body.empty()) {
      return Error{ErrorKind::kCorrupt,
                   "cannot watch: the answer is not concurrencyd's, it is not JSON; name the "
                   "daemon's socket with --socket"};
    }
    return pass_on(Watch::kVerb, {stream_.status(), true, std::move(body)}, false);
  }

  Error ended(const Result<void>& read) const {
    if (!read) return {ErrorKind::kUnavailable, "cannot watch: the daemon ended unexpectedly"};
    const auto event = read_object(last_);
    if (event && text_of(*event, "event") == "dropped") {
      if (const auto message = text_of(*event, "message")) {
        return {ErrorKind::kUnavailable, text::format("cannot watch: {}", *message)};
      }
    }
    return {ErrorKind::kUnavailable, "cannot watch: the daemon stopped"};
  }

  ClientStream stream_;
  Millis timeout_;
  Deadline deadline_;
  std::string rest_;  // a line that is not whole yet
  std::string last_;  // the last line that was printed
};

}  // namespace

Result<ExitCode> run_watch(Client& client, const Watch& watch) {
  exit_on_signals();
  const auto request = request_of(watch);
  auto stream = client.open(request.method, request.target, ClientStream::Body::kNone);
  if (!stream) return std::move(stream).error();
  return Watcher(std::move(*stream), client.timeout()).run();
}

}  // namespace concur::cli
