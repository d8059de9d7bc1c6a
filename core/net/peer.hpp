#pragma once

#include "api/message.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace concur {

// Who is at the other end of a Unix socket, as the kernel saw it at the connect (unix(7):
// SO_PEERCRED, SO_PEERGROUPS).
struct Peer {
  uid_t uid = static_cast<uid_t>(-1);
  pid_t pid = 0;
  std::vector<gid_t> groups;  // the primary one too
};

// Nobody where the kernel does not say.
Peer peer_of(int socket);

// Who counts as an operator beside root.
struct Operators {
  uid_t daemon = 0;
  std::optional<gid_t> group;
};

Role role_of(const Peer& peer, const Operators& operators);

// What one who is no operator can do to be one: who is in the group, but was not at the login.
// Empty where that is not so.
std::string advice_for(std::int64_t uid, const Operators& operators);

}  // namespace concur
