#include "base/text_file.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace concur {

namespace {

using Steady = std::chrono::steady_clock;

Error failed() {
  const ErrorKind kind = errno == ENOENT ? ErrorKind::kAbsent : ErrorKind::kForbidden;
  return {kind, std::strerror(errno)};
}

// Whether there is something to read, or the end, by then.
bool comes_by(int file, Steady::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    pollfd entry{file, POLLIN, 0};
    const int ready = poll(&entry, 1, std::max(0, static_cast<int>(left.count())));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

}  // namespace

// Who may read a secret is the matter of whoever set the file's group: a service manager gives the
// daemon credentials of root's with its own group. Whoever may write it could make one.
std::string fault_of_secret(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return "it is a folder";
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    return text::format("it belongs to user {}, and must belong to root or the daemon's user {}",
                        info.st_uid, geteuid());
  }
  constexpr mode_t kOthersMayRead = 0004;
  constexpr mode_t kMoreMayWrite = 0022;
  if ((info.st_mode & (kOthersMayRead | kMoreMayWrite)) != 0) {
    return text::format(
        "its mode is {:04o}: others may not read it, and nobody but its owner may write it, as "
        "with 0600 or 0440",
        info.st_mode & 07777);
  }
  return {};
}

Result<TextFile> read_text_file(const std::string& path, std::size_t max_bytes,
                                std::chrono::milliseconds patience, FileFault fault) {
  const auto deadline = Steady::now() + patience;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0) return failed();
  if (const std::string found = fault == nullptr ? "" : fault(info); !found.empty()) {
    return Error{ErrorKind::kInvalid, found};
  }
  TextFile read_file{std::string(max_bytes + 1, '\0'), S_ISREG(info.st_mode)};
  std::string& text = read_file.text;
  std::size_t size = 0;
  while (size < text.size()) {
    if (!read_file.is_regular && !comes_by(file.get(), deadline)) {
      return Error{ErrorKind::kInvalid, "it is no regular file, and its end did not come"};
    }
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got == 0) break;
    if (got > 0) {
      size += static_cast<std::size_t>(got);
    } else if (errno != EAGAIN && errno != EINTR) {
      return failed();
    }
  }
  if (size > max_bytes) {
    return Error{ErrorKind::kInvalid, text::format("it has more than {} KiB", max_bytes / 1024)};
  }
  text.resize(size);
  return read_file;
}

}  // namespace concur
