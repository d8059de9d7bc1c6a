#include "load/processor_time.hpp"

#include <sys/socket.h>
#include <time.h>

#include "common/unix_socket.hpp"

namespace concur::bench {

pid_t server_process(const std::string& socket) {
  const Fd fd = connect_unix(socket);
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

std::chrono::nanoseconds processor_time(pid_t process) {
  clockid_t clock{};
  timespec used{};
  // The clock of process 0 would be the caller's.
  if (process <= 0 || ::clock_getcpuclockid(process, &clock) != 0 ||
      ::clock_gettime(clock, &used) != 0) {
    return {};
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace concur::bench
