#include "net/server.hpp"

#include "api/error_response.hpp"
#include "base/text.hpp"
#include "net/connection.hpp"
#include "net/gate.hpp"
#include "net/response_head.hpp"

#include <sys/socket.h>
#include <boost/asio/buffer.hpp>

#include <string>
#include <utility>
#include <vector>

namespace concur {

namespace {

// How long accepting rests when the system has no room: long enough not to spin, short enough not
// to be felt.
constexpr auto kAcceptRest = std::chrono::milliseconds(100);
constexpr std::size_t kNearlyFull = Server::kMaxConnections * 9 / 10;

std::string full_answer() {
  const Response response =
      error_response(503, text::format("cannot take the connection: there are {} of them already",
                                       Server::kMaxConnections));
  std::string answer;
  append_head(answer, response, Framing::kLength, false);
  return answer + response.body;
}

boost::asio::generic::stream_protocol protocol_of(const Fd& socket) {
  int family = AF_UNIX;
  socklen_t size = sizeof family;
  getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
  return {family, 0};
}

}  // namespace

Server::Server(Turn& turn, Fd listener, Gate& gate, Handler& handler, ClientMemory& memory,
               Logger& log)
    : loop_(turn.loop()),
      acceptor_(loop_, protocol_of(listener), listener.release()),
      poller_(turn),
      gate_(gate),
      handler_(handler),
      memory_(memory),
      log_(log),
      tick_timer_(loop_),
      accept_timer_(loop_) {
  acceptor_.non_blocking(true);
  accept();
  tick();
}

Server::~Server() { close(); }

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
  if (next_ && !draining_) {
    if (!error) add_connection(std::move(socket));
    take_next_listener();
  } else if (draining_) {
    // Accepted before the drain began: it is owed its answers.
    if (!error && drained_) {
      add_connection(std::move(socket));
      drain_connections();
    }
    end_drain_if_idle();
  } else if (!error) {
    add_connection(std::move(socket));
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
    if (!cancelled && !draining_ && !accepting_) accept();
  });
}

void Server::add_connection(Accepted socket) {
  if (connections_.size() >= kMaxConnections) return reject_connection(std::move(socket));
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
        connections_.size(), kMaxConnections);
  }
}

void Server::reject_connection(Accepted socket) {
  if (may_warn(accept_warnings_)) {
    log_.warning("cannot take more than {} connections: answering 503", kMaxConnections);
  }
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(boost::asio::buffer(full_answer()), ignored);
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
    add_connection(std::move(socket));
  }
}

void Server::move_to(Fd listener) {
  if (draining_) return;
  next_ = std::move(listener);
  boost::system::error_code ignored;
  acceptor_.cancel(ignored);
  if (!accepting_) take_next_listener();
}

void Server::take_next_listener() {
  accept_backlog();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  accept_timer_.cancel();
  const auto protocol = protocol_of(next_);
  acceptor_.assign(protocol, next_.release());
  acceptor_.non_blocking(true);
  accept();
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

void Server::close_revoked() {
  for (const auto& connection : all_connections()) {
    if (!gate_.is_still_valid(connection->caller())) connection->close();
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
