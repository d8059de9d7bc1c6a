#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "daemon/notifier.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace concur {

// A socket that listens already and was handed to this process by whoever started it. It goes on
// listening when the process ends: who connects meanwhile waits for the next one.
struct InheritedSocket {
  Fd fd;
  std::string path;  // of a Unix socket; empty: it is a TCP socket
};

// Takes them over by sd_listen_fds(3)'s protocol (LISTEN_PID, LISTEN_FDS), in their order; none
// where none was meant for `self`. kInvalid where one that was passed is no listening socket, or
// neither a Unix socket with a path nor TCP: `cannot take over socket 1 of 2: <cause>`.
Result<std::vector<InheritedSocket>> inherited_sockets(const Environment& environment, pid_t self);

}  // namespace concur
