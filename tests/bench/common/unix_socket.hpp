#pragma once

#include <string>
#include <utility>

namespace concur::bench {

/// Owns one file descriptor and closes it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

/// Connects to the stream socket at `path`, waiting at most five seconds for a full backlog.
/// The descriptor is in blocking mode. Throws std::runtime_error.
Fd connect_unix(const std::string& path);

/// Listens at `path`, which must not exist yet. The descriptor never blocks.
/// Throws std::runtime_error.
Fd listen_unix(const std::string& path);

/// Throws std::runtime_error.
void set_nonblocking(const Fd& fd);

}  // namespace concur::bench
