#include "output_queue.hpp"

#include "output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace concur::cli {

namespace {

// A pipe that can be written to at all has room for this much, so that no write waits. The
// descriptor stays as it is: others share it.
constexpr std::size_t kPiece = PIPE_BUF;

bool has_room() {
  pollfd entry{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

}  // namespace

short OutputQueue::events() const { return size() > 0 ? POLLOUT : 0; }

Result<void> OutputQueue::advance(short happened) {
  if (size() == 0 && (happened & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    return output_error((happened & POLLNVAL) != 0 ? EBADF : EPIPE);
  }
  for (bool room = happened != 0; room && size() > 0; room = has_room()) {
    const ssize_t written =
        ::write(STDOUT_FILENO, text_.data() + written_, std::min(size(), kPiece));
    if (written < 0 && errno != EAGAIN && errno != EINTR) return output_error(errno);
    if (written < 0) break;
    written_ += static_cast<std::size_t>(written);
  }
  if (size() == 0 || written_ > text_.size() / 2) {
    text_.erase(0, written_);
    written_ = 0;
  }
  return {};
}

Result<void> OutputQueue::flush() {
  auto written = write_output(std::string_view(text_).substr(written_));
  text_.clear();
  written_ = 0;
  return written;
}

}  // namespace concur::cli
