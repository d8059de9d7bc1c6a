#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/types.h>

#include <string>

namespace concur {

// Listens on a Unix socket at that path, with that mode from the first moment on. A socket that
// stands there already is taken for a stale one and replaced: the caller holds the lock that says
// no daemon lives behind it. Any other file there is left alone. All errors are told as `cannot
// listen on <path>: <cause>`.
Result<Fd> listen_unix(const std::string& path, mode_t mode);

}  // namespace concur
