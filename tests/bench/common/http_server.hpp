#pragma once

#include "common/unix_socket.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace concur::bench {

/// As little of a server of HTTP as can be, on one thread: finds where each request ends, of those
/// that have no body, and sends what `answer` appends.
class HttpServer {
 public:
  /// Appends the whole answer to `out`.
  using Answer = std::function<void(std::string_view request, std::string& out)>;

  /// Throws std::runtime_error if it cannot listen at `path`.
  HttpServer(const std::string& path, Answer answer);

  /// Returns after this time, so that no forgotten server stays behind.
  void run_for(std::chrono::seconds duration);

 private:
  struct Peer {
    Fd fd;
    // The beginning of a request whose end has not come.
    std::string rest;
    // Answers that the socket had no room for. While there are any, nothing more is read.
    std::string unsent;
  };

  void accept();
  bool serve(Peer& peer);
  bool send(Peer& peer, std::string_view bytes);
  bool send_rest(Peer& peer);
  void watch(int operation, int fd, unsigned events);

  Fd listener_;
  Fd epoll_;
  std::unordered_map<int, Peer> peers_;
  std::vector<char> in_;
  Answer answer_;
  std::string out_;
};

}  // namespace concur::bench
