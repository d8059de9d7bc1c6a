#include "signals.hpp"
#include "base/text.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace concur::cli {

namespace {

// All that ask something of a process. Not among them: the ones that a process brings upon itself,
// SIGPIPE and the stop signals, which a shell's job control sends to both anyway.
sigset_t signals_to_take() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM}) {
    if (!is_ignored(signal)) sigaddset(&set, signal);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    if (!is_ignored(signal)) sigaddset(&set, signal);
  }
  sigaddset(&set, SIGCHLD);
  return set;
}

}  // namespace

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

Result<Signals> Signals::take() {
  Signals signals;
  struct sigaction on_child {};
  on_child.sa_handler = SIG_DFL;  // were it ignored, the command's status would be lost
  ::sigaction(SIGCHLD, &on_child, &signals.first_on_child_);
  signals.taken_ = signals_to_take();
  ::sigprocmask(SIG_BLOCK, &signals.taken_, &signals.first_mask_);
  signals.fd_ = Fd(::signalfd(-1, &signals.taken_, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.fd_) {
    return Error{ErrorKind::kInternal,
                 text::format("cannot run: cannot read signals: {}", std::strerror(errno))};
  }
  return signals;
}

std::optional<signalfd_siginfo> Signals::next() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  sigaddset(&received_, static_cast<int>(info.ssi_signo));
  return info;
}

void Signals::restore() const {
  ::sigaction(SIGCHLD, &first_on_child_, nullptr);
  sigset_t mask = first_mask_;
  sigdelset(&mask, SIGPIPE);  // blocked by main, for this program alone
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
}

void die_of(int signal) {
  const rlimit none{};
  ::setrlimit(RLIMIT_CORE, &none);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  std::_Exit(128 + signal);
}

}  // namespace concur::cli
