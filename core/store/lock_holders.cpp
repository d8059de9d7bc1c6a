#include "store/lock_holders.hpp"

#include "base/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <vector>

namespace concur {

namespace {

std::vector<std::uint64_t> inodes_of(const std::string& path) {
  std::vector<std::uint64_t> inodes;
  for (const char* suffix : {"", "-shm"}) {
    struct stat info {};
    if (stat((path + suffix).c_str(), &info) == 0) inodes.push_back(info.st_ino);
  }
  return inodes;
}

// A line reads `1: POSIX ADVISORY WRITE 1234 fe:00:5678 120 120`: the process, the device and the
// file, the bytes. The device is not always that of stat(2), so that the file's number must do.
std::vector<long> other_holders(const std::vector<std::uint64_t>& inodes) {
  std::vector<long> pids;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, advisory, access, file;
    long pid = 0;
    if (!(words >> number >> kind >> advisory >> access >> pid >> file)) continue;
    if (kind != "POSIX" || pid <= 0 || pid == getpid()) continue;
    const auto inode = std::strtoull(file.c_str() + file.rfind(':') + 1, nullptr, 10);
    if (std::ranges::find(inodes, inode) == inodes.end()) continue;
    if (std::ranges::find(pids, pid) == pids.end()) pids.push_back(pid);
  }
  return pids;
}

std::string name_of(long pid) {
  std::ifstream file(text::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name.empty() ? "a program" : name;
}

}  // namespace

std::string lock_advice(const std::string& path) {
  std::string holders;
  for (const long pid : other_holders(inodes_of(path))) {
    holders += text::format("{}{} with pid {}", holders.empty() ? "" : ", ", name_of(pid), pid);
  }
  if (holders.empty()) {
    return text::format(
        "another program has it locked: find it with fuser -v {0} {0}-shm, and end its transaction",
        path);
  }
  return text::format("end the transaction of another program that has it open: {}", holders);
}

}  // namespace concur
