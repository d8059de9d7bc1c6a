#include "child.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace concur::cli {

namespace {

bool has_terminal() { return bool(Fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY))); }

Error cannot_run(const std::string& name, int error) {
  return {error == ENOENT ? ErrorKind::kAbsent : ErrorKind::kInvalid,
          text::format("cannot run {}: {}", name, std::strerror(error))};
}

// In the child. Returns only if it failed, having written errno to `report`.
void become(char* const argv[], bool own_group, const Signals& signals, int input,
            const Fd& report) {
  if (own_group) ::setpgid(0, 0);
  if (input != STDIN_FILENO) ::dup2(input, STDIN_FILENO);
  signals.restore();
  ::execvp(argv[0], argv);
  const int error = errno;
  static_cast<void>(::write(report.get(), &error, sizeof error) == 0);
}

}  // namespace

Result<Child> Child::spawn(const std::vector<std::string>& command, const Signals& signals,
                           int input) {
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const bool own_group = !has_terminal();

  // Closed by exec, so that its reader learns whether there was one.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_run(command[0], errno);
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return cannot_run(command[0], errno);
  if (pid == 0) {
    become(argv.data(), own_group, signals, input, to);
    ::_exit(127);
  }
  to.close();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(from.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return Child(pid, own_group);
  ::waitpid(pid, nullptr, 0);
  return cannot_run(command[0], error);
}

void Child::reap() {
  int status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (ended == pid_) status_ = status;
  }
}

void Child::forward(const signalfd_siginfo& info) const {
  const bool from_terminal = info.ssi_code == SI_KERNEL;
  if (!running() || (from_terminal && !own_group_)) return;
  ::kill(pid_, static_cast<int>(info.ssi_signo));
}

void Child::send_to_all(int signal) const {
  if (running()) ::kill(own_group_ ? -pid_ : pid_, signal);
}

}  // namespace concur::cli
