#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/types.h>

#include <optional>
#include <string>

namespace concur {

class TcpAddress;

// Listens on a Unix socket at that path, with that mode from the first moment on; where a group is
// given that is not the file's anyway, with that group before the mode lets it in. A socket that
// stands there already is taken for a stale one and replaced: the caller holds the lock that says
// no daemon lives behind it. Any other file there is left alone. All errors read `cannot listen on
// <path>: <cause>`.
Result<Fd> listen_unix(const std::string& path, mode_t mode, std::optional<gid_t> group = {});

// Listens on TCP at that address; [::] is IPv4's addresses too. Errors as those of listen_unix().
Result<Fd> listen_tcp(const TcpAddress& address);

}  // namespace concur
