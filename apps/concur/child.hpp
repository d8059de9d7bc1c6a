#pragma once

#include "base/result.hpp"
#include "signals.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace concur::cli {

// One command that runs as a child of this process. Its end is not waited for by the destructor.
//
// Who gets a signal? With a controlling terminal the command shares this process's group, so that
// the terminal's keys, its job control and a pipeline's other members work as without concur: what
// the terminal sends, the command has as well. Without one the command leads a group of its own:
// what is sent to this process's group it has once, from here, and its own children can be ended
// with it.
class Child {
 public:
  // Looks the command up in PATH, as a shell does. It gets the signal mask that this process began
  // with, and `input` as its standard input where that is not this process's own. kAbsent where
  // there is no such command, kInvalid where it cannot be run.
  static Result<Child> spawn(const std::vector<std::string>& command, const Signals& signals,
                             int input = 0);

  bool running() const { return !status_; }

  // The status as wait(2) reports it, once the command has ended.
  int status() const { return *status_; }

  // Looks whether it has ended; to be called after SIGCHLD. Reaps whatever else ended: as process 1
  // of a container this process becomes the parent of all that lose theirs.
  void reap();

  // Hands a signal on to the command, where it has not got it already.
  void forward(const signalfd_siginfo& info) const;

  // Sends a signal to the command and, where it has a group of its own, to its children.
  void send_to_all(int signal) const;

 private:
  Child(pid_t pid, bool own_group) : pid_(pid), own_group_(own_group) {}

  pid_t pid_;
  bool own_group_;
  std::optional<int> status_;
};

}  // namespace concur::cli
