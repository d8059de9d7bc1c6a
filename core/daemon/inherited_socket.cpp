#include "daemon/inherited_socket.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace concur {

namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START

Error cannot(std::string_view cause) {
  return {ErrorKind::kInvalid, text::format("cannot take over the socket: {}", cause)};
}

bool option_is(int fd, int name, int wanted) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 && value == wanted;
}

}  // namespace

Result<std::optional<InheritedSocket>> inherited_socket(const Environment& environment,
                                                        pid_t self) {
  const auto whose = environment("LISTEN_PID");
  const auto count = environment("LISTEN_FDS");
  if (!whose || !count || *whose != std::to_string(self) || *count == "0") return std::nullopt;
  if (*count != "1") return cannot(text::format("{} were passed, and one is used", *count));

  if (fcntl(kFirst, F_SETFD, FD_CLOEXEC) != 0) return cannot(std::strerror(errno));
  InheritedSocket found{Fd(kFirst), {}};
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (getsockname(kFirst, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return cannot(std::strerror(errno));
  }
  const bool listens =
      option_is(kFirst, SO_TYPE, SOCK_STREAM) && option_is(kFirst, SO_ACCEPTCONN, 1);
  if (address.sun_family != AF_UNIX || !listens || address.sun_path[0] == '\0') {
    return cannot("the one that was passed is not a listening Unix stream socket with a path");
  }
  found.path.assign(address.sun_path, strnlen(address.sun_path, sizeof address.sun_path));
  return std::optional(std::move(found));
}

}  // namespace concur
