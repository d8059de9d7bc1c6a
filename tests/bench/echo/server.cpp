#include "echo/server.hpp"

#include <fmt/format.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace concur::bench {
namespace {

constexpr int kTickMs = 250;
constexpr std::size_t kInBytes = 65536;
constexpr std::string_view kRequestEnd = "\r\n\r\n";

std::string make_answer() {
  const std::string body =
      fmt::format(R"({{"user":"u00000001","session":"{}","concurrentSessions":1,"limit":3,)"
                  R"("expiresAt":"2026-11-23T16:00:00.000Z","heartbeatInterval":30}})",
                  std::string(36, '0'));
  return fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

}  // namespace

EchoServer::EchoServer(const std::string& path)
    : listener_(listen_unix(path)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      in_(kInBytes),
      answer_(make_answer()) {
  watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
}

void EchoServer::run_for(std::chrono::seconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  std::array<epoll_event, 256> events;
  while (std::chrono::steady_clock::now() < end) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), kTickMs);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener_.get()) {
        accept();
        continue;
      }
      Peer& peer = peers_.at(fd);
      if (!(peer.unsent.empty() ? serve(peer) : send_rest(peer))) {
        peers_.erase(fd);
      }
    }
  }
}

void EchoServer::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    const int number = fd.get();
    watch(EPOLL_CTL_ADD, number, EPOLLIN);
    peers_.insert_or_assign(number, Peer{.fd = std::move(fd), .rest = {}, .unsent = {}});
  }
}

// False if the peer is gone or asks nonsense.
bool EchoServer::serve(Peer& peer) {
  std::copy(peer.rest.begin(), peer.rest.end(), in_.begin());
  char* begin = in_.data() + peer.rest.size();
  const ssize_t got = ::recv(peer.fd.get(), begin, in_.size() - peer.rest.size(), 0);
  if (got <= 0) {
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
  std::string_view bytes(in_.data(), peer.rest.size() + static_cast<std::size_t>(got));
  std::size_t requests = 0;
  for (std::size_t at = bytes.find(kRequestEnd); at != std::string_view::npos;
       at = bytes.find(kRequestEnd)) {
    bytes.remove_prefix(at + kRequestEnd.size());
    ++requests;
  }
  peer.rest.assign(bytes);
  return send(peer, answers(requests));
}

std::string_view EchoServer::answers(std::size_t count) {
  while (answers_.size() < count * answer_.size()) {
    answers_ += answer_;
  }
  return std::string_view(answers_).substr(0, count * answer_.size());
}

bool EchoServer::send(Peer& peer, std::string_view bytes) {
  if (bytes.empty()) {
    return true;
  }
  const ssize_t count = ::send(peer.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) {
    return false;
  }
  bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (!bytes.empty()) {
    peer.unsent.assign(bytes);
    watch(EPOLL_CTL_MOD, peer.fd.get(), EPOLLOUT);
  }
  return true;
}

bool EchoServer::send_rest(Peer& peer) {
  const std::string bytes = std::exchange(peer.unsent, {});
  watch(EPOLL_CTL_MOD, peer.fd.get(), EPOLLIN);
  return send(peer, bytes);
}

void EchoServer::watch(int operation, int fd, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), operation, fd, &event);
}

}  // namespace concur::bench
