#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/signalfd.h>

#include <csignal>
#include <optional>

namespace concur::cli {

// Signals from other processes and the terminal, to be read instead of ending this process: those
// that a command run by concur must have, and SIGCHLD. One that was ignored when concur was
// called stays ignored, here and in the command, so that nohup(1) works.
class Signals {
 public:
  static Result<Signals> take();

  int fd() const { return fd_.get(); }  // can be read where a signal is pending

  std::optional<signalfd_siginfo> next();

  // Whether it is one of those that are read here.
  bool takes(int signal) const { return sigismember(&taken_, signal) == 1; }

  // Whether next() has returned it.
  bool received(int signal) const { return sigismember(&received_, signal) == 1; }

  // Gives a process just forked what concur itself was given: its mask and what it does on SIGCHLD.
  void restore() const;

 private:
  Signals() { sigemptyset(&received_); }

  Fd fd_;
  sigset_t taken_{};
  sigset_t received_{};
  sigset_t first_mask_{};
  struct sigaction first_on_child_ {};
};

// By this process, because whoever called it wants that.
bool is_ignored(int signal);

// Ends this process as the signal would have, but leaves no core dump: it is no failure of this
// program. As process 1 of a container, which no signal ends, it exits with 128 + signal.
[[noreturn]] void die_of(int signal);

}  // namespace concur::cli
