#pragma once

#include "base/fd.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace concur::test {

inline Fd listen_on(const std::string& path, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), backlog) == 0);
  return fd;
}

// One connection of the daemon below, as a test's script of it sees it.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  // The head of a request and its body; empty once the client is gone.
  std::string receive() {
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos || text.size() < length_of(text)) {
      char buffer[4096];
      const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }

  // What comes until that text has come; less where the client is gone.
  std::string receive_until(std::string_view end) {
    std::string text;
    while (!text.ends_with(end)) {
      char byte = 0;
      if (::recv(fd_.get(), &byte, 1, 0) <= 0) break;
      text += byte;
    }
    return text;
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void answer(std::string_view body) {
    send(text::format(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        body.size(), body));
  }

  // Until the client closes.
  void wait() { receive(); }

 private:
  static std::size_t length_of(const std::string& text) {
    constexpr std::string_view kField = "Content-Length: ";
    const std::size_t head = text.find("\r\n\r\n") + 4;
    const std::size_t field = text.find(kField);
    return field == std::string::npos ? head
                                      : head + std::stoul(text.substr(field + kField.size()));
  }

  Fd fd_;
};

// A daemon that plays the script on each connection, one after the other.
class FakeDaemon {
 public:
  using Script = std::function<void(Peer&)>;

  FakeDaemon(const std::string& path, Script script)
      : listener_(listen_on(path, 16)),
        thread_([this, script = std::move(script)] { run(script); }) {}
  ~FakeDaemon() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  int connections() const { return connections_; }

  // Returns when it has closed as many, which is at the end of its script.
  void wait_until_closed(int connections) const {
    while (closed_ < connections) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  void run(const Script& script) {
    for (;;) {
      const int fd = ::accept(listener_.get(), nullptr, nullptr);
      if (fd < 0) return;
      ++connections_;
      {
        Peer peer(fd);
        script(peer);
      }
      ++closed_;
    }
  }

  Fd listener_;
  std::atomic<int> connections_ = 0;
  std::atomic<int> closed_ = 0;
  std::thread thread_;
};

inline void answer_all(Peer& peer) {
  while (!peer.receive().empty()) peer.answer("{}\n");
}

inline FakeDaemon::Script answer_with(std::string text) {
  return [text = std::move(text)](Peer& peer) {
    peer.receive();
    peer.send(text);
  };
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace concur::test
