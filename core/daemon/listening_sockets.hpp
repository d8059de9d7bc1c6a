#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "daemon/endpoint.hpp"
#include "daemon/inherited_socket.hpp"
#include "daemon/settings.hpp"
#include "daemon/socket_watch.hpp"
#include "net/api_keys.hpp"

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace concur {

struct UnixListener {
  Endpoint endpoint;
  SocketWatch::Bind bind;  // makes it, and makes it again; null where the service manager passed it

  bool is_own() const { return bind != nullptr; }
};

struct TcpListener {
  Fd listener;
  bool is_own;  // no service manager passed it
};

// All that a daemon listens on: what the service manager passed goes before the settings' Unix
// socket, and comes beside their TCP address. All errors are StartupErrors.
struct ListeningSockets {
  std::vector<UnixListener> unix_sockets;  // at least one
  std::vector<TcpListener> tcp_sockets;

  // Locks what is this daemon's own; kAlreadyRunning, kSocket, or kUsage for a TCP socket that
  // takes keys where there are none. `group` is the Unix socket's.
  static ListeningSockets claim(const Effective& effective, std::optional<gid_t> group,
                                std::vector<InheritedSocket> inherited, Logger& log);

  // How many there are once they are open.
  std::size_t count(const Settings& settings) const;

  // Makes those that are not there yet, last of all, so that whoever can connect is answered.
  // kSocket.
  void open(const Settings& settings);

  // All but the first. `keys` may be null: there are none.
  void log_others(const ApiKeyFile* keys, Logger& log) const;

  // The files of those that this daemon made.
  void remove() const;
};

}  // namespace concur
