#include "output.hpp"
#include "base/text.hpp"
#include "signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace concur::cli {

namespace {

// errno, or 0.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Another process made the shared descriptor non-blocking.
      pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

void reserve_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Opened to read only, so that writing to it is an error. The lowest free number is the one
    // just found closed.
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));
  }
}

Result<void> write_output(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == 0) return {};
  return output_error(error);
}

Error output_error(int error) {
  if (error == EPIPE && !is_ignored(SIGPIPE)) die_of(SIGPIPE);
  return {ErrorKind::kUnavailable,
          text::format("cannot write to standard output: {}", std::strerror(error))};
}

void complain(std::string_view message) {
  std::string line = text::format("concur: {}", message);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  write_all(STDERR_FILENO, line + '\n');
}

}  // namespace concur::cli
