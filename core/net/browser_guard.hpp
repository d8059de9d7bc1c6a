#pragma once

#include "net/gate.hpp"

#include <optional>
#include <string_view>

// What keeps the pages of other sites away from the daemon: somebody at this machine may have a
// browser, which such a page makes ask with all that the machine may.
namespace concur {

// What else vouches for a request that a browser sends.
enum class Vouched {
  kByHost,  // its Host is the daemon's: a page of the same origin came from here
  kByKey,   // it has to bring a key, which no other site's page can make a browser send
};

// Why the request is not taken, which a browser sends; nothing where it is, or where none does.
std::optional<std::string_view> refuse_page(const Credentials& credentials, Vouched vouched);

// Whether the Host names a machine in a way that the owner of no domain has a say in: it is absent,
// a loopback address, or has no dot, as the names that clients of Unix sockets make up.
bool is_local_host(const std::optional<std::string_view>& host);

}  // namespace concur
