#pragma once

#include <sys/resource.h>

#include <csignal>

namespace concur::test {

// While it lives every write that reaches beyond a file's first byte fails, as on a disk that is
// full (setrlimit(2), RLIMIT_FSIZE): a real failure of the real calls, for this process alone.
class FullDisk {
 public:
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 1;
    setrlimit(RLIMIT_FSIZE, &none);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace concur::test
