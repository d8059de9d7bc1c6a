#include "top/input.hpp"

#include "base/text.hpp"
#include "command.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

namespace concur::cli {

namespace {

constexpr char kRedrawKey = 0x0C;  // Ctrl-L

Error cannot_read(const char* what) {
  return {ErrorKind::kInternal,
          text::format("cannot {}: cannot read {}: {}", Top::kVerb, what, std::strerror(errno))};
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool add(int all, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return ::epoll_ctl(all, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<Input> Input::take(bool keys) {
  Input input;
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    if (!is_ignored(signal)) sigaddset(&set, signal);
  }
  sigaddset(&set, SIGWINCH);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  input.signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  input.all_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!input.signals_ || !input.all_ || !add(input.all_.get(), input.signals_.get())) {
    return cannot_read("signals");
  }
  if (keys && ::isatty(STDIN_FILENO) != 0 && !add(input.all_.get(), STDIN_FILENO)) {
    return cannot_read("the terminal");
  }
  return input;
}

void Input::read() {
  epoll_event events[2];
  const int count = ::epoll_wait(all_.get(), events, 2, 0);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == STDIN_FILENO) {
      read_keys();
    } else {
      read_signals();
    }
  }
}

void Input::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGWINCH) {
      resized_ = true;
    } else {
      quit_ = true;
    }
  }
}

// A terminal that went away can be read, and has an end or an error.
void Input::read_keys() {
  char keys[64];
  const ssize_t size = ::read(STDIN_FILENO, keys, sizeof keys);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (size <= 0) {
    quit_ = true;
    return;
  }
  const std::string_view pressed(keys, static_cast<std::size_t>(size));
  // An escape sequence is another key's: its letters are not pressed.
  if (pressed.front() == 0x1B) return;
  quit_ = quit_ || pressed.find_first_of("qQ") != std::string_view::npos;
  redraw_ = redraw_ || pressed.find(kRedrawKey) != std::string_view::npos;
}

bool Input::take_resized() { return std::exchange(resized_, false); }

bool Input::take_redraw() { return std::exchange(redraw_, false); }

}  // namespace concur::cli
