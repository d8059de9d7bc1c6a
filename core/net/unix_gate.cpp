#include "net/unix_gate.hpp"

#include "base/text.hpp"
#include "net/browser_guard.hpp"

namespace concur {

Caller UnixGate::identify(int socket) {
  const Peer peer = peer_of(socket);
  const bool is_known = peer.uid != static_cast<uid_t>(-1);
  return {role_of(peer, operators_), text::format("uid {}, pid {}", peer.uid, peer.pid), true,
          nullptr, is_known ? std::int64_t{peer.uid} : -1};
}

std::optional<Refusal> UnixGate::authorize(Caller& caller, const Credentials& credentials) {
  if (caller.role != Role::kOperator) return std::nullopt;
  const int status = refusal_status(credentials.entrance);
  if (!is_local_host(credentials.host)) {
    return Refusal{.cause = "its Host is neither localhost nor a loopback address, and has a dot",
                   .status = status};
  }
  if (const auto cause = refuse_page(credentials, Vouched::kByHost)) {
    return Refusal{.cause = *cause, .status = status};
  }
  return std::nullopt;
}

}  // namespace concur
