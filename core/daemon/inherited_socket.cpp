#include "daemon/inherited_socket.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace concur {

namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMaxSockets = 32;

bool option_is(int fd, int name, int wanted) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 && value == wanted;
}

// The error is the cause alone.
Result<InheritedSocket> take_over(int fd) {
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Error{ErrorKind::kInvalid, std::strerror(errno)};
  }
  InheritedSocket found{Fd(fd), {}};
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return Error{ErrorKind::kInvalid, std::strerror(errno)};
  }
  const bool listens = option_is(fd, SO_TYPE, SOCK_STREAM) && option_is(fd, SO_ACCEPTCONN, 1);
  const bool is_tcp = storage.ss_family == AF_INET || storage.ss_family == AF_INET6;
  if (listens && is_tcp) return found;
  const auto& address = reinterpret_cast<const sockaddr_un&>(storage);
  if (storage.ss_family != AF_UNIX || !listens || address.sun_path[0] == '\0') {
    return Error{
        ErrorKind::kInvalid,
        "it is neither a listening Unix stream socket with a path nor a listening TCP socket"};
  }
  found.path.assign(address.sun_path, strnlen(address.sun_path, sizeof address.sun_path));
  return found;
}

}  // namespace

Result<std::vector<InheritedSocket>> inherited_sockets(const Environment& environment, pid_t self) {
  std::vector<InheritedSocket> sockets;
  const auto whose = environment("LISTEN_PID");
  const auto listed = environment("LISTEN_FDS");
  if (!whose || !listed || *whose != std::to_string(self)) return sockets;
  int count = 0;
  const char* end = listed->data() + listed->size();
  const auto [rest, failed] = std::from_chars(listed->data(), end, count);
  if (failed != std::errc() || rest != end || count < 0 || count > kMaxSockets) {
    return Error{ErrorKind::kInvalid, text::format("cannot take over {} sockets: it takes up to {}",
                                                   *listed, kMaxSockets)};
  }
  for (int i = 0; i < count; ++i) {
    auto socket = take_over(kFirst + i);
    if (!socket) {
      return Error{ErrorKind::kInvalid, text::format("cannot take over socket {} of {}: {}", i + 1,
                                                     count, socket.error().message)};
    }
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

}  // namespace concur
