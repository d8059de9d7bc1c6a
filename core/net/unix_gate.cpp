#include "net/unix_gate.hpp"

#include "base/text.hpp"

namespace concur {

Caller UnixGate::identify(int socket) {
  const Peer peer = peer_of(socket);
  const bool is_known = peer.uid != static_cast<uid_t>(-1);
  return {role_of(peer, operators_), text::format("uid {}, pid {}", peer.uid, peer.pid), true,
          nullptr, is_known ? std::int64_t{peer.uid} : -1};
}

}  // namespace concur
