#include "net/unix_gate.hpp"

#include "base/text.hpp"

namespace concur {

Caller UnixGate::identify(int socket) {
  const Peer peer = peer_of(socket);
  return {role_of(peer, operators_), text::format("uid {}, pid {}", peer.uid, peer.pid), true};
}

}  // namespace concur
