#include "common/unix_socket.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace concur::bench {
namespace {

constexpr int kBacklog = 4096;
constexpr timeval kConnectWait{.tv_sec = 5, .tv_usec = 0};

[[noreturn]] void fail(const char* verb, const std::string& path, const char* cause) {
  throw std::runtime_error(fmt::format("cannot {} {}: {}", verb, path, cause));
}

sockaddr_un address_of(const char* verb, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    fail(verb, path, "the path is too long for a Unix socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
  }
}

Fd connect_unix(const std::string& path) {
  const sockaddr_un address = address_of("connect to", path);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    fail("connect to", path, std::strerror(errno));
  }
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectWait, sizeof kConnectWait);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect to", path, std::strerror(errno));
  }
  return fd;
}

Fd listen_unix(const std::string& path) {
  const sockaddr_un address = address_of("listen on", path);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    fail("listen on", path, std::strerror(errno));
  }
  return fd;
}

void set_nonblocking(const Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    throw std::runtime_error(
        fmt::format("cannot make descriptor {} non-blocking: {}", fd.get(), std::strerror(errno)));
  }
}

}  // namespace concur::bench
