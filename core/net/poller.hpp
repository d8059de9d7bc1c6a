#pragma once

#include "base/turn.hpp"

#include <sys/epoll.h>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

namespace concur {

// Watches the sockets of many connections with one epoll set of its own (epoll(7)), which the loop
// waits for as a whole. Each time it finds some ready begins a turn: all that has arrived is read
// first. A request costs two system calls this way: one to receive, one to send. For the loop
// thread alone.
class Poller {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // At the beginning of a turn. EPOLLIN and EPOLLOUT where they were asked for; EPOLLHUP and
    // EPOLLERR come unasked. Called again in the next turn where nothing is done about it.
    virtual void on_ready(unsigned events) = 0;
  };

  // The turn must outlive it. Throws boost::system::system_error where the system has no room.
  explicit Poller(Turn& turn);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Turn& turn() { return turn_; }

  // From now on the socket is watched for these events (none of its own: for hangups and errors
  // alone), and no more where there are none at all. `before` is what the last call for it said, at
  // first nothing. False where the system has no room for it.
  using Interest = std::optional<unsigned>;
  bool watch(int socket, Watcher& watcher, Interest before, Interest now);

  // The watcher is called no more; the socket is closed next, which ends its being watched.
  void forget(const Watcher& watcher);

 private:
  void wait();
  void read_all();

  Turn& turn_;
  boost::asio::posix::stream_descriptor set_;
  static constexpr std::size_t kMaxReady = 128;  // few, so that other work does not wait for long
  std::array<epoll_event, kMaxReady> events_;
  std::span<epoll_event> ready_;  // of them, in this turn, and not handled yet
};

}  // namespace concur
