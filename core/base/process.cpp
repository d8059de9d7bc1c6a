#include "base/process.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace concur {

namespace {

// Since Linux 6.2 the folder's size is how many there are (proc_pid_fd(5)); before, it is 0 and
// they are counted: thousands of them take a millisecond.
std::uint64_t open_files() {
  constexpr const char* kFolder = "/proc/self/fd";
  struct stat info {};
  if (stat(kFolder, &info) == 0 && info.st_size > 0) {
    return static_cast<std::uint64_t>(info.st_size);
  }
  std::uint64_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(kFolder, error), end; !error && at != end;
       at.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // one is the look itself
}

}  // namespace

ProcessFigures process_figures() {
  ProcessFigures figures;
  figures.open_files = open_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.open_files_limit = limit.rlim_cur;
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (statm >> size >> resident) {
    figures.resident_bytes = resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return figures;
}

void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is the one just found closed.
    if (fcntl(fd, F_GETFD) < 0) static_cast<void>(open("/dev/null", O_RDWR) == fd);
  }
}

}  // namespace concur
