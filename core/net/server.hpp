#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "net/deadline.hpp"
#include "net/poller.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace concur {

class ClientMemory;
class Connection;
class Gate;
class Handler;

// Accepts connections on a listening socket, Unix or TCP, and looks after them. For the loop thread
// alone.
class Server {
 public:
  static constexpr std::size_t kMaxConnections = 4096;

  // Turn, gate, handler, memory and log must outlive it.
  Server(Turn& turn, Fd listener, Gate& gate, Handler& handler, ClientMemory& memory, Logger& log);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // closes: what the answers under way refer to may end before the loop does

  std::size_t connections() const { return connections_.size(); }

  // Accepts on another socket from now on; who waits on the one before is accepted first.
  void move_to(Fd listener);

  // Who waits to be accepted when the server stops: answered first, or left to whoever listens on
  // the same socket next.
  enum class Backlog { kAnswer, kLeave };

  // Accepts no more; lets each connection finish what it has sent; then calls `done`.
  void drain(Backlog backlog, std::function<void()> done);

  // Closes the connections whose callers are not valid any more: the gate's rules have changed.
  void close_revoked();

  // Closes every connection at once, whatever is under way; a drain that goes on is given up.
  void close();

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;
  using Accepted = boost::asio::generic::stream_protocol::socket;

  void accept();
  void on_accept(const boost::system::error_code& error, Accepted socket);
  void accept_later(const boost::system::error_code& error);
  void accept_backlog();
  void take_next_listener();
  void add_connection(Accepted socket);
  void reject_connection(Accepted socket);
  void tick();
  void drain_connections();
  void end_drain_if_idle();
  std::vector<std::shared_ptr<Connection>> all_connections() const;
  void on_closed(Connection& connection);
  bool may_warn(LogThrottle& throttle) const;

  boost::asio::io_context& loop_;
  Acceptor acceptor_;
  Poller poller_;
  Gate& gate_;
  Handler& handler_;
  ClientMemory& memory_;
  Logger& log_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer accept_timer_;
  Tick now_ = 0;
  LogThrottle accept_warnings_{1};
  LogThrottle full_warnings_{1};  // that most connections are taken
  Fd next_;                       // to be listened on, once the accepting has stopped
  bool accepting_ = false;        // what was accepted may still be on its way to on_accept()
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace concur
