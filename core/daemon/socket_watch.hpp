#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "daemon/endpoint.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <string>

namespace concur {

// Looks once a second whether clients still find the socket. Where its file was removed, it listens
// there anew; where another stands in its place, that is left alone and reported. For the loop
// thread alone.
class SocketWatch {
 public:
  using Bind = std::function<Result<Fd>()>;
  using Move = std::function<void(Fd listener)>;  // to the new one, with all who came by the old

  // All must outlive it. Without `bind` the socket is another's to make: its loss is only reported.
  SocketWatch(boost::asio::io_context& loop, Endpoint& endpoint, Bind bind, Move move, Logger& log);

  void stop() { timer_.cancel(); }

  // What it does each second.
  void check();

 private:
  void wait();
  bool holds_lock();
  void listen_anew();
  void report(const std::string& trouble);

  Endpoint& endpoint_;
  Bind bind_;
  Move move_;
  Logger& log_;
  boost::asio::steady_timer timer_;
  std::string reported_;  // what is wrong, as logged; empty where nothing is
};

}  // namespace concur
