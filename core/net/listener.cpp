#include "net/listener.hpp"

#include "base/text.hpp"
#include "net/tcp_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace concur {

namespace {

Error cannot_listen(const std::string& path, std::string_view cause) {
  return {ErrorKind::kUnavailable, text::format("cannot listen on {}: {}", path, cause)};
}

Result<void> remove_stale(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return cannot_listen(path, std::strerror(errno));
  }
  if (!S_ISSOCK(info.st_mode)) return cannot_listen(path, "a file that is no socket is in the way");
  if (unlink(path.c_str()) != 0) return cannot_listen(path, std::strerror(errno));
  return {};
}

// Of a socket just bound, which only its owner may use so far. False, with errno, where it cannot.
bool give_to_group(const std::string& path, gid_t group, mode_t mode) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return false;
  if (info.st_gid != group && lchown(path.c_str(), static_cast<uid_t>(-1), group) != 0)
    return false;
  return chmod(path.c_str(), mode) == 0;
}

}  // namespace

Result<Fd> listen_unix(const std::string& path, mode_t mode, std::optional<gid_t> group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return cannot_listen(path, text::format("a socket's path has 1 to {} bytes, this one has {}",
                                            sizeof address.sun_path - 1, path.size()));
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  if (const auto removed = remove_stale(path); !removed) return removed.error();
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return cannot_listen(path, std::strerror(errno));
  // The mode is right from the first moment: one set later would turn away, as forbidden, whoever
  // came in between.
  const mode_t before = umask(0777 & ~(group ? mode & 0700 : mode));
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int cause = errno;
  umask(before);
  if (bound != 0) return cannot_listen(path, std::strerror(cause));
  if (group && !give_to_group(path, *group, mode)) {
    const int denied = errno;
    unlink(path.c_str());
    return cannot_listen(
        path, text::format("cannot give it to group {}: {}", *group, std::strerror(denied)));
  }
  if (listen(fd.get(), SOMAXCONN) != 0) {
    const Error failed = cannot_listen(path, std::strerror(errno));
    unlink(path.c_str());
    return failed;
  }
  return fd;
}

Result<Fd> listen_tcp(const TcpAddress& address) {
  const auto cannot = [&address] { return cannot_listen(to_text(address), std::strerror(errno)); };
  const auto set = [](const Fd& fd, int level, int name, int value) {
    return setsockopt(fd.get(), level, name, &value, sizeof value) == 0;
  };
  const bool v6 = address.is_v6();
  Fd fd(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A port whose last connections linger is free for this daemon's next start.
  if (!fd || !set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return cannot();
  if (v6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) return cannot();
  if (bind(fd.get(), address.data(), address.size()) != 0) return cannot();
  if (listen(fd.get(), SOMAXCONN) != 0) return cannot();
  return fd;
}

}  // namespace concur
