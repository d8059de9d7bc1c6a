#pragma once

#include "base/log.hpp"
#include "support/temp_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace concur::test {

// While it lives standard error goes into a file of its own.
class CapturedLog {
 public:
  CapturedLog() : path_(folder_.file("log")), before_(dup(STDERR_FILENO)) {
    const int file = open(path_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() {
    dup2(before_, STDERR_FILENO);
    close(before_);
  }

  // What was logged so far, each line from its level on.
  std::vector<std::string> lines(Logger& log) const {
    log.flush();
    constexpr std::size_t kTime = sizeof "2026-11-23T16:00:00.000Z";
    std::ifstream file(path_);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line.substr(kTime));
    return all;
  }

 private:
  TempFolder folder_;
  std::string path_;
  int before_;
};

}  // namespace concur::test
