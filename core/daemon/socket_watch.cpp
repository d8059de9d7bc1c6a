#include "daemon/socket_watch.hpp"

#include "base/text.hpp"

#include <chrono>
#include <utility>

namespace concur {

SocketWatch::SocketWatch(boost::asio::io_context& loop, Endpoint& endpoint, Bind bind, Move move,
                         Logger& log)
    : endpoint_(endpoint), bind_(std::move(bind)), move_(std::move(move)), log_(log), timer_(loop) {
  wait();
}

void SocketWatch::wait() {
  timer_.expires_after(std::chrono::seconds(1));
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    check();
    wait();
  });
}

void SocketWatch::check() {
  if (!holds_lock()) return;
  switch (endpoint_.file->state()) {
    case SocketFile::State::kThere:
      reported_.clear();
      break;
    case SocketFile::State::kGone:
      listen_anew();
      break;
    case SocketFile::State::kOther:
      report(
          text::format("another file stands at {}: clients do not find this daemon there; "
                       "remove it, and the daemon listens there anew",
                       endpoint_.path));
      break;
  }
}

// Without the lock's file another daemon would take the path for free.
bool SocketWatch::holds_lock() {
  if (!endpoint_.lock || endpoint_.lock->is_in_place()) return true;
  auto anew = FileLock::acquire(endpoint_.path);
  if (!anew) {
    report(text::format("{}; clients do not find this daemon there", anew.error().message));
    return false;
  }
  log_.warning("the lock of {} was removed while its daemon runs: locked anew", endpoint_.path);
  endpoint_.lock = std::move(*anew);
  return true;
}

void SocketWatch::listen_anew() {
  if (!bind_) {
    return report(
        text::format("the socket {} was removed, and who made it must make it anew: "
                     "restart the socket unit",
                     endpoint_.path));
  }
  auto listener = bind_();
  if (!listener) return report(listener.error().message);
  endpoint_.file.emplace(endpoint_.path);
  move_(std::move(*listener));
  reported_.clear();
  log_.warning("the socket {} was removed while its daemon runs: listening there anew",
               endpoint_.path);
}

void SocketWatch::report(const std::string& trouble) {
  if (trouble == reported_) return;
  reported_ = trouble;
  log_.error("{}", trouble);
}

}  // namespace concur
