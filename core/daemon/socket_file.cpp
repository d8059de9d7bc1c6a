#include "daemon/socket_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace concur {

SocketFile::SocketFile(std::string path)
    : path_(std::move(path)), held_(open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)) {}

SocketFile::State SocketFile::state() const {
  struct stat now {};
  struct stat own {};
  if (lstat(path_.c_str(), &now) != 0) {
    // The folder may be closed to this process, where another made the socket.
    return errno == ENOENT || errno == ENOTDIR ? State::kGone : State::kThere;
  }
  const bool is_own = held_ && fstat(held_.get(), &own) == 0 && own.st_dev == now.st_dev &&
                      own.st_ino == now.st_ino;
  return is_own ? State::kThere : State::kOther;
}

void SocketFile::remove() const {
  if (state() == State::kThere) unlink(path_.c_str());
}

}  // namespace concur
