#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace concur {

using Deadline = std::chrono::steady_clock::time_point;

// Whole milliseconds, rounded up; 0 once it is over.
Millis left_until(Deadline deadline);

// What every error of a daemon that does not go on ends in.
inline constexpr const char* kStuckHint =
    "the daemon is stuck or overloaded: look at its log, or wait longer with --timeout";

struct Connected {
  Fd fd;
  std::string path;  // the one that accepted
};

// The paths are tried in their order, and the first that accepts is taken; all of them again with
// growing pauses until the deadline, for nothing was sent. `pause` waits until then at most, and
// returns false to give up. `timeout` is what the errors say of the time that was given.
//
// Errors name each path and end in a hint:
//   kForbidden    the system refused permission, found at once
//   kInvalid      no path can be a socket's: empty, or longer than a socket address holds; found
//                 at once
//   kAbsent       there is no socket
//   kUnavailable  nothing listens on the socket
//   kTimeout      it took no connection in time
Result<Connected> connect_to(const std::vector<std::string>& paths, Deadline deadline,
                             Millis timeout, const std::function<bool(Deadline)>& pause);

}  // namespace concur
