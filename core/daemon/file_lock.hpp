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

  // Whether its file still has its name: without, another could lock one of its own.
  bool is_in_place() const;

 private:
  FileLock(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Fd fd_;
  std::string path_;  // of the lock's file
};

}  // namespace concur
