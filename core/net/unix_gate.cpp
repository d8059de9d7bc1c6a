#include "net/unix_gate.hpp"

#include <fmt/format.h>

namespace concur {

Caller UnixGate::greet(int socket) {
  const Peer peer = peer_of(socket);
  return {role_of(peer, operators_), fmt::format("uid {}, pid {}", peer.uid, peer.pid), true};
}

}  // namespace concur
