#pragma once

#include "common/unix_socket.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace concur::bench {

/// Answers every HTTP request that has no body by 200 and a body of the size of a start's answer.
class EchoServer {
 public:
  /// Throws std::runtime_error if it cannot listen at `path`.
  explicit EchoServer(const std::string& path);

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
  std::string_view answers(std::size_t count);

  Fd listener_;
  Fd epoll_;
  std::unordered_map<int, Peer> peers_;
  std::vector<char> in_;
  std::string answer_;
  // The answer as many times over as were ever asked for at once.
  std::string answers_;
};

}  // namespace concur::bench
