#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

namespace concur::bench {

/// The process that listens at this socket; 0 if it is unknown. Throws std::runtime_error if
/// nothing listens there.
pid_t server_process(const std::string& socket);

/// The processor time that a process has used: on a shared machine a steadier figure than how fast
/// it answered. Zero if this user may not know.
std::chrono::nanoseconds processor_time(pid_t process);

}  // namespace concur::bench
