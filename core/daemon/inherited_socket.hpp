#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "daemon/notifier.hpp"

#include <sys/types.h>

#include <optional>
#include <string>

namespace concur {

// A socket that listens already and was handed to this process by whoever started it. It goes on
// listening when the process ends: who connects meanwhile waits for the next one.
struct InheritedSocket {
  Fd fd;
  std::string path;
};

// Takes it over by sd_listen_fds(3)'s protocol (LISTEN_PID, LISTEN_FDS); none where none was meant
// for `self`. kInvalid where what was passed is not one listening Unix stream socket with a path:
// `cannot take over the socket: <cause>`.
Result<std::optional<InheritedSocket>> inherited_socket(const Environment& environment, pid_t self);

}  // namespace concur
