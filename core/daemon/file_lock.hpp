#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>

namespace concur {

// An exclusive lock on a file of its own, `<path>.lock`, held for the owner's life and let go by
// the kernel however that ends (flock(2)). The file holds the owner's pid for people, and stays
// behind. Whatever name the file at `path` goes by, its lock has one.
class FileLock {
 public:
  // kUnavailable where another process holds it, with its pid in the message; kForbidden where the
  // file cannot be opened.
  static Result<FileLock> acquire(const std::string& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace concur
