#pragma once

#include "base/fd.hpp"

#include <string>

namespace concur {

// The file by which clients find a Unix socket. It is held, so that no other can be taken for it:
// as long as it is, no other has its number.
class SocketFile {
 public:
  // Of the socket that has just been bound there. None, which is gone, where there is no file.
  explicit SocketFile(std::string path);

  enum class State {
    kThere,
    kGone,   // nothing is there any more
    kOther,  // another file stands there, which is not to be touched
  };
  State state() const;

  // Unlinks it where it is still there: another daemon may listen at the path by now.
  void remove() const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd held_;
};

}  // namespace concur
