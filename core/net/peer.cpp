#include "net/peer.hpp"

#include "base/accounts.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace concur {

Peer peer_of(int socket) {
  Peer peer;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return peer;
  peer.uid = credentials.uid;
  peer.pid = credentials.pid;
  std::vector<gid_t> groups(64);
  size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int failed = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  if (failed != 0 && size > groups.size() * sizeof(gid_t)) {
    groups.resize(size / sizeof(gid_t));
    failed = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  }
  groups.resize(failed == 0 ? size / sizeof(gid_t) : 0);
  peer.groups = std::move(groups);
  peer.groups.push_back(credentials.gid);
  return peer;
}

Role role_of(const Peer& peer, const Operators& operators) {
  const bool in_group = operators.group && std::find(peer.groups.begin(), peer.groups.end(),
                                                     *operators.group) != peer.groups.end();
  const bool is_operator = peer.uid == 0 || peer.uid == operators.daemon || in_group;
  return is_operator ? Role::kOperator : Role::kClient;
}

std::string advice_for(std::int64_t uid, const Operators& operators) {
  if (uid < 0 || !operators.group) return {};
  const auto user = user_name(static_cast<uid_t>(uid));
  const auto group = group_name(*operators.group);
  if (!user || !group || !is_member(*user, *operators.group)) return {};
  return login_advice(*user, *group, {});
}

}  // namespace concur
