#include "daemon/listening_sockets.hpp"

#include "base/text.hpp"
#include "daemon/exit_code.hpp"
#include "net/listener.hpp"
#include "net/tcp_address.hpp"

#include <utility>

namespace concur {

namespace {

SocketWatch::Bind binder_of(const Effective& effective, std::optional<gid_t> group) {
  const Settings& settings = effective.settings;
  // What nobody asked for must not keep the daemon from running, where it may not give it away.
  return [path = settings.socket, mode = settings.socket_mode, group,
          is_default = effective.is_default("socket-group")] {
    auto bound = listen_unix(path, mode, group);
    return bound || !group || !is_default ? std::move(bound) : listen_unix(path, mode);
  };
}

TcpListener inherited_tcp(InheritedSocket socket, const Settings& settings) {
  const TcpAddress address = local_address_of(socket.fd.get());
  if (settings.api_key_file.empty() && !address.is_loopback()) {
    throw StartupError(ExitCode::kUsage,
                       text::format("cannot take over the socket on {}: without --api-key-file "
                                    "it takes a loopback address, such as 127.0.0.1",
                                    to_text(address)));
  }
  return {std::move(socket.fd), false};
}

}  // namespace

ListeningSockets ListeningSockets::claim(const Effective& effective, std::optional<gid_t> group,
                                         std::vector<InheritedSocket> inherited, Logger& log) {
  ListeningSockets sockets;
  const Settings& settings = effective.settings;
  bool is_setting = effective.is_default("socket");
  for (InheritedSocket& socket : inherited) {
    if (socket.path.empty()) {
      sockets.tcp_sockets.push_back(inherited_tcp(std::move(socket), settings));
      continue;
    }
    is_setting = is_setting || socket.path == settings.socket;
    sockets.unix_sockets.push_back({inherited_endpoint(std::move(socket), log), nullptr});
  }
  if (sockets.unix_sockets.empty()) {
    sockets.unix_sockets.push_back({own_endpoint(effective), binder_of(effective, group)});
  } else if (!is_setting) {
    log.warning("socket is {}, not {}: the service manager passed it",
                sockets.unix_sockets.front().endpoint.path, settings.socket);
  }
  return sockets;
}

std::size_t ListeningSockets::count(const Settings& settings) const {
  return unix_sockets.size() + tcp_sockets.size() + (settings.listen.empty() ? 0 : 1);
}

void ListeningSockets::open(const Settings& settings) {
  if (!settings.listen.empty()) {
    tcp_sockets.push_back(
        {must(listen_tcp(*parse_tcp_address(settings.listen)), ExitCode::kSocket), true});
  }
  for (UnixListener& socket : unix_sockets) {
    if (socket.is_own()) socket.endpoint.listener = must(socket.bind(), ExitCode::kSocket);
    socket.endpoint.file.emplace(socket.endpoint.path);
  }
}

void ListeningSockets::log_others(const ApiKeyFile* keys, Logger& log) const {
  for (std::size_t i = 1; i < unix_sockets.size(); ++i) {
    log.info("listening on {} too", unix_sockets[i].endpoint.path);
  }
  for (const TcpListener& socket : tcp_sockets) {
    log.info("listening on {} too, {}", to_text(local_address_of(socket.listener.get())),
             keys ? text::format("for API keys: {}", keys->keys.size())
                  : "without keys: all on this machine may connect, as clients");
  }
}

void ListeningSockets::remove() const {
  for (const UnixListener& socket : unix_sockets) {
    if (socket.is_own()) socket.endpoint.file->remove();
  }
}

}  // namespace concur
