#include "top/live.hpp"

#include "output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace concur::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

// Denials may come by the thousand: they are drawn as often as an eye can follow.
constexpr Millis kMinDrawInterval{200};

int poll_time(Deadline until) {
  return static_cast<int>(std::min<Millis::rep>(left_until(until).count(), INT_MAX));
}

// Errors that stay however long one waits; the first answer shows them.
bool is_final(const Result<void>& first) {
  if (first) return false;
  const ErrorKind kind = first.error().kind;
  return kind == ErrorKind::kForbidden || kind == ErrorKind::kInvalid;
}

class LiveScreen {
 public:
  LiveScreen(Screen& screen, Collector& collector, Input& input, Millis interval)
      : screen_(screen), collector_(collector), input_(input), interval_(interval) {}

  Result<ExitCode> run() {
    collector_.look_after(input_.fd(), [this] { return serve_input(); });
    draw();
    for (bool first = true; !input_.quit(); first = false) {
      const Deadline next = SteadyClock::now() + interval_;
      if (auto refreshed = collector_.refresh(); first && is_final(refreshed)) {
        return refreshed.error();
      }
      if (input_.quit()) break;
      draw();
      wait(next);
    }
    return ExitCode::kDone;
  }

 private:
  bool serve_input() {
    input_.read();
    const bool resized = input_.take_resized();
    const bool redraw = input_.take_redraw();
    if (resized) screen_.resize();
    if (redraw) screen_.restore();
    if (resized || redraw) draw();
    return !input_.quit();
  }

  // Until it is time to ask again, while keys, signals and events are served.
  void wait(Deadline next) {
    bool changed = false;
    while (!input_.quit() && left_until(next).count() > 0) {
      const Deadline until = changed ? std::min(next, drawn_ + kMinDrawInterval) : next;
      pollfd entries[] = {
          {.fd = input_.fd(), .events = POLLIN, .revents = 0},
          {.fd = collector_.events_fd(), .events = collector_.events(), .revents = 0}};
      ::poll(entries, 2, poll_time(until));
      if (entries[0].revents != 0) serve_input();
      if (entries[1].revents != 0 && collector_.read_events()) changed = true;
      if (changed && left_until(drawn_ + kMinDrawInterval).count() == 0) {
        draw();
        changed = false;
      }
    }
  }

  void draw() {
    screen_.draw(page_of(collector_.snapshot(), screen_.size(), interval_));
    drawn_ = SteadyClock::now();
  }

  Screen& screen_;
  Collector& collector_;
  Input& input_;
  Millis interval_;
  Deadline drawn_{};
};

// Until it is time to ask again, or somebody ends it; an Error where nobody reads the lines.
Result<void> wait_for_next(Input& input, Deadline next) {
  while (!input.quit() && left_until(next).count() > 0) {
    pollfd entries[] = {{.fd = input.fd(), .events = POLLIN, .revents = 0},
                        {.fd = STDOUT_FILENO, .events = 0, .revents = 0}};
    ::poll(entries, 2, poll_time(next));
    if (entries[0].revents != 0) input.read();
    if (entries[1].revents != 0 && !input.quit()) {
      return output_error((entries[1].revents & POLLNVAL) != 0 ? EBADF : EPIPE);
    }
  }
  return {};
}

}  // namespace

Result<ExitCode> show_screen(Screen& screen, Collector& collector, Input& input, Millis interval) {
  return LiveScreen(screen, collector, input, interval).run();
}

Result<ExitCode> print_lines(Collector& collector, Input& input, Millis interval) {
  collector.look_after(input.fd(), [&input] {
    input.read();
    return !input.quit();
  });
  for (bool first = true; !input.quit(); first = false) {
    const Deadline next = SteadyClock::now() + interval;
    if (auto refreshed = collector.refresh_status(); first && is_final(refreshed)) {
      return refreshed.error();
    }
    if (input.quit()) break;
    auto written = write_output(summary_of(collector.snapshot()));
    if (written) written = wait_for_next(input, next);
    if (!written) return written.error();
  }
  return ExitCode::kDone;
}

}  // namespace concur::cli
