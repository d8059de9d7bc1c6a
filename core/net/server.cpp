#include "net/server.hpp"

#include <sys/socket.h>
#include <boost/asio/buffer.hpp>

#include <string_view>
#include <utility>
#include <vector>

namespace concur {

namespace {

// How long accepting rests when the system has no room: long enough not to spin, short enough not
// to be felt.
constexpr auto kAcceptRest = std::chrono::milliseconds(100);
constexpr std::size_t kNearlyFull = Server::kMostConnections * 9 / 10;

constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 95\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\n"
    "{\"error\":\"unavailable\",\"message\":\"cannot take the connection: there are 4096 of them "
    "already\"}\n";
static_assert(kFull.size() - kFull.find('{') == 95);

boost::asio::generic::stream_protocol protocol_of(const Fd& socket) {
  int family = AF_UNIX;
  socklen_t size = sizeof family;
  getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
  return {family, 0};
}

}  // namespace

Server::Server(boost::asio::io_context& loop, Fd listener, Gate& gate, Handler& handler,
               ClientMemory& memory, Logger& log)
    : loop_(loop),
      acceptor_(loop, protocol_of(listener), listener.release()),
      poller_(loop),
      gate_(gate),
      handler_(handler),
      memory_(memory),
      log_(log),
      tick_timer_(loop),
      accept_timer_(loop) {
  acceptor_.non_blocking(true);
  accept();
  tick();
}

// --- accepting ---

void Server::accept() {
  accepting_ = true;
  acceptor_.async_accept([this](const boost::system::error_code& error, Accepted socket) {
    on_accept(error, std::move(socket));
  });
}

// No error ends the accepting: a peer that gave up is nothing, and a full table of files empties
// again.
void Server::on_accept(const boost::system::error_code& error, Accepted socket) {
  accepting_ = false;
  if (draining_) {
    // Accepted before the drain began: it is owed its answers.
    if (!error && drained_) {
      welcome(std::move(socket));
      drain_connections();
    }
    end_drain_if_idle();
  } else if (!error) {
    welcome(std::move(socket));
    accept();
  } else if (error == boost::asio::error::connection_aborted ||
             error == boost::asio::error::interrupted) {
    accept();
  } else {
    accept_later(error);
  }
}

void Server::accept_later(const boost::system::error_code& error) {
  if (may_warn(accept_warnings_))
    log_.warning("cannot accept connections: {}; trying again", error.message());
  accept_timer_.expires_after(kAcceptRest);
  accept_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && !draining_) accept();
  });
}

void Server::welcome(Accepted socket) {
  if (connections_.size() >= kMostConnections) return turn_away(std::move(socket));
  boost::system::error_code error;
  socket.non_blocking(true, error);
  if (error) return;
  Fd released(socket.release(error));
  if (error) return;
  const auto connection =
      std::make_shared<Connection>(std::move(released), poller_, gate_, handler_, memory_, now_,
                                   [this](Connection& closed) { on_closed(closed); });
  connections_.emplace(connection.get(), connection);
  connection->open();
  if (connections_.size() >= kNearlyFull && may_warn(full_warnings_)) {
    log_.warning(
        "{} connections are open, and {} are the most: look for clients that open one for each "
        "request and do not close it",
        connections_.size(), kMostConnections);
  }
}

void Server::turn_away(Accepted socket) {
  if (may_warn(accept_warnings_)) {
    log_.warning("cannot take more than {} connections: answering 503", kMostConnections);
  }
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(boost::asio::buffer(kFull.data(), kFull.size()), ignored);
}

bool Server::may_warn(LogThrottle& throttle) const {
  return throttle.next(Instant(std::chrono::seconds(now_))).has_value();
}

// --- looking after ---

void Server::tick() {
  tick_timer_.expires_after(std::chrono::seconds(1));
  tick_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    ++now_;
    for (const auto& connection : all_connections()) connection->check_time();
    tick();
  });
}

void Server::on_closed(Connection& connection) {
  connections_.erase(&connection);
  end_drain_if_idle();
}

void Server::accept_backlog() {
  while (true) {
    boost::system::error_code error;
    Accepted socket(loop_);
    acceptor_.accept(socket, error);
    if (error) return;
    welcome(std::move(socket));
  }
}

void Server::drain(Backlog backlog, std::function<void()> done) {
  draining_ = true;
  if (backlog == Backlog::kAnswer) accept_backlog();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  accept_timer_.cancel();
  drained_ = std::move(done);
  drain_connections();
  end_drain_if_idle();
}

void Server::end_drain_if_idle() {
  if (drained_ && connections_.empty() && !accepting_) std::exchange(drained_, nullptr)();
}

void Server::drain_connections() {
  for (const auto& connection : all_connections()) connection->drain();
}

void Server::close_strangers() {
  for (const auto& connection : all_connections()) {
    if (!gate_.still_knows(connection->caller())) connection->close();
  }
}

void Server::close() {
  drained_ = nullptr;
  for (const auto& connection : all_connections()) connection->close();
}

// A copy: what is done with them may close some.
std::vector<std::shared_ptr<Connection>> Server::all_connections() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  return all;
}

}  // namespace concur
