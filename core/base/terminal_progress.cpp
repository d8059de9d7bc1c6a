#include "base/terminal_progress.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace concur {

namespace {

constexpr std::size_t kMaxColumns = 200;
constexpr std::array kEnding{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

// How much of the terminal's line is filled, for the handler of signals.
volatile std::sig_atomic_t drawn_columns = 0;

// Safe in a handler of signals.
void write_bytes(const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(STDERR_FILENO, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

void wipe_line() {
  char blank[kMaxColumns + 2];
  const auto columns = std::min(static_cast<std::size_t>(drawn_columns), kMaxColumns);
  std::fill_n(blank, columns + 2, ' ');
  blank[0] = '\r';
  blank[columns + 1] = '\r';
  if (columns > 0) write_bytes(blank, columns + 2);
  drawn_columns = 0;
}

// It was reset when it was called: the process dies of the signal, as it would have.
void wipe_and_die(int signal) {
  wipe_line();
  ::raise(signal);
}

std::size_t columns_of_terminal() {
  constexpr std::size_t kDefault = 80;
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  // The last column stays free: some terminals go to the next line behind it.
  return std::min(known ? std::size_t{size.ws_col} : kDefault, kMaxColumns) - 1;
}

bool may_draw() {
  const pid_t foreground = ::tcgetpgrp(STDERR_FILENO);
  if (foreground > 0 && foreground != ::getpgrp()) return false;
  pollfd entry{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & POLLOUT) != 0;
}

class TerminalProgress final : public ProgressDisplay {
 public:
  ~TerminalProgress() override { clear(); }

  Millis first() const override { return std::chrono::seconds(1); }
  Millis every() const override { return Millis(200); }

  void show(const WorkState& work, Millis elapsed) override {
    if (!may_draw()) return;
    handle_signals();
    std::string line = progress_text(work, elapsed, columns_of_terminal());
    const std::size_t size = line.size();
    const auto before = static_cast<std::size_t>(drawn_columns);
    if (before > size) line.append(before - size, ' ');
    drawn_columns = static_cast<std::sig_atomic_t>(std::max(size, before));
    line.insert(0, 1, '\r');
    write_bytes(line.data(), line.size());
    drawn_columns = static_cast<std::sig_atomic_t>(size);
  }

  void clear() override {
    wipe_line();
    for (std::size_t i = 0; handles_ && i < kEnding.size(); ++i) {
      if (before_[i].sa_handler == SIG_DFL) ::sigaction(kEnding[i], &before_[i], nullptr);
    }
    handles_ = false;
  }

 private:
  // Those that would end the process; what is ignored, or handled by others, stays so.
  void handle_signals() {
    if (handles_) return;
    handles_ = true;
    struct sigaction wipe {};
    wipe.sa_handler = wipe_and_die;
    wipe.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    for (std::size_t i = 0; i < kEnding.size(); ++i) {
      ::sigaction(kEnding[i], nullptr, &before_[i]);
      if (before_[i].sa_handler == SIG_DFL) ::sigaction(kEnding[i], &wipe, nullptr);
    }
  }

  bool handles_ = false;
  std::array<struct sigaction, kEnding.size()> before_{};
};

}  // namespace

std::unique_ptr<ProgressDisplay> terminal_progress() {
  if (::isatty(STDERR_FILENO) == 0) return nullptr;
  return std::make_unique<TerminalProgress>();
}

}  // namespace concur
