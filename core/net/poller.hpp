#pragma once

#include <sys/epoll.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace concur {

// Watches the sockets of many connections with one epoll set of its own (epoll(7)), which the loop
// waits for as a whole. What is ready is handled in turns: first all that has arrived is read, then
// it is handled, then what is to be written is, so that whoever waits at the other ends is woken
// once and not for each answer. A request costs two system calls this way: one to receive, one to
// send. For the loop thread alone.
class Poller {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // EPOLLIN and EPOLLOUT where they were asked for; EPOLLHUP and EPOLLERR come unasked. Told
    // again in the next turn where nothing is done about it.
    virtual void on_ready(unsigned events) = 0;
    // Once for each later().
    virtual void on_turn_end() = 0;
  };

  // The loop must outlive it. Throws boost::system::system_error where the system has no room.
  explicit Poller(boost::asio::io_context& loop);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // From now on the socket is watched for these events (none of its own: for hangups and errors
  // alone), and no more where there are none at all. `before` is what the last call for it said, at
  // first nothing. False where the system has no room for it.
  using Interest = std::optional<unsigned>;
  bool watch(int socket, Watcher& watcher, Interest before, Interest now);

  // The watcher is told nothing more; the socket is closed next, which ends its being watched.
  void forget(const Watcher& watcher);

  // At the end of this turn, or soon where none goes on, on_turn_end() is called. A turn ends
  // twice: whoever asks at its first end is called again behind all others.
  void later(std::shared_ptr<Watcher> watcher);

 private:
  // Who is to be called, and who is being called.
  struct Late {
    std::vector<std::shared_ptr<Watcher>> waiting;
    std::vector<std::shared_ptr<Watcher>> called;
  };

  void wait();
  void take_turn();
  static void end_turn(Late& late);

  boost::asio::io_context& loop_;
  boost::asio::posix::stream_descriptor set_;
  static constexpr std::size_t kMostReady = 128;  // few, so that other work does not wait for long
  std::array<epoll_event, kMostReady> events_;
  std::span<epoll_event> ready_;  // of them, in this turn, and not handled yet
  std::shared_ptr<Late> late_ = std::make_shared<Late>();
  bool in_turn_ = false;
};

}  // namespace concur
