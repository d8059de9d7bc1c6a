#include "common/http_server.hpp"

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

}  // namespace

HttpServer::HttpServer(const std::string& path, Answer answer)
    : listener_(listen_unix(path)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      in_(kInBytes),
      answer_(std::move(answer)) {
  watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
}

void HttpServer::run_for(std::chrono::seconds duration) {
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

void HttpServer::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    const int number = fd.get();
    watch(EPOLL_CTL_ADD, number, EPOLLIN);
    peers_.insert_or_assign(number, Peer{.fd = std::move(fd), .rest = {}, .unsent = {}});
  }
}

// False if the peer is gone or asks nonsense.
bool HttpServer::serve(Peer& peer) {
  std::copy(peer.rest.begin(), peer.rest.end(), in_.begin());
  char* begin = in_.data() + peer.rest.size();
  const ssize_t got = ::recv(peer.fd.get(), begin, in_.size() - peer.rest.size(), 0);
  if (got <= 0) {
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
  std::string_view bytes(in_.data(), peer.rest.size() + static_cast<std::size_t>(got));
  out_.clear();
  for (std::size_t at = bytes.find(kRequestEnd); at != std::string_view::npos;
       at = bytes.find(kRequestEnd)) {
    const std::size_t size = at + kRequestEnd.size();
    answer_(bytes.substr(0, size), out_);
    bytes.remove_prefix(size);
  }
  peer.rest.assign(bytes);
  return send(peer, out_);
}

bool HttpServer::send(Peer& peer, std::string_view bytes) {
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

bool HttpServer::send_rest(Peer& peer) {
  const std::string bytes = std::exchange(peer.unsent, {});
  watch(EPOLL_CTL_MOD, peer.fd.get(), EPOLLIN);
  return send(peer, bytes);
}

void HttpServer::watch(int operation, int fd, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), operation, fd, &event);
}

}  // namespace concur::bench
