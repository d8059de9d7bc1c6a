#include "load/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace concur::bench {
namespace {

// Holds the head of an answer and usually its body; longer bodies are skipped in pieces.
constexpr std::size_t kInBytes = 16384;

std::size_t longest(const Dialect& dialect) {
  std::size_t most = 0;
  for (const RequestTemplate& request : dialect.requests) {
    most = std::max(most, request.bytes.size());
  }
  return most;
}

}  // namespace

Connection::Connection(Fd fd, unsigned pipeline, bool bursts, const Dialect& dialect)
    : fd_(std::move(fd)),
      dialect_(&dialect),
      ring_(pipeline),
      bursts_(bursts),
      out_(dialect.head.size() + pipeline * longest(dialect)),
      in_(kInBytes) {}

void Connection::ask(const Request& request, Clock::time_point since, const SessionNames& names) {
  assert(has_room());
  const RequestTemplate& form = dialect_->request(request.operation);
  if (filled_ + form.bytes.size() > out_.size()) {
    // What is unsent belongs to unanswered requests, so it fits together with this one.
    std::memmove(out_.data(), out_.data() + sent_, filled_ - sent_);
    filled_ -= sent_;
    sent_ = 0;
  }
  if (asked_ == 0) {
    filled_ += dialect_->head.copy(out_.data() + filled_, dialect_->head.size());
  }
  const char* end = form.write(request.user, request.serial, names, since, out_.data() + filled_);
  filled_ = static_cast<std::size_t>(end - out_.data());
  std::size_t at = oldest_ + asked_;
  at -= at >= ring_.size() ? ring_.size() : 0;
  ring_[at] = {request, since};
  ++asked_;
  waits_for_all_ = bursts_ && asked_ == ring_.size();
}

bool Connection::flush() {
  if (!has_unsent()) {
    return true;
  }
  const ssize_t count = ::send(fd_.get(), out_.data() + sent_, filled_ - sent_, MSG_NOSIGNAL);
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  sent_ += static_cast<std::size_t>(count);
  if (sent_ == filled_) {
    sent_ = filled_ = 0;
  }
  return true;
}

bool Connection::receive() {
  if (parsed_ == read_) {
    parsed_ = read_ = 0;
  } else if (read_ == in_.size()) {
    std::memmove(in_.data(), in_.data() + parsed_, read_ - parsed_);
    read_ -= parsed_;
    parsed_ = 0;
  }
  // A head that fills the whole buffer leaves no room: recv then returns 0, as for a closed
  // connection, and it is given up as one.
  const ssize_t count = ::recv(fd_.get(), in_.data() + read_, in_.size() - read_, 0);
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  read_ += static_cast<std::size_t>(count);
  return count > 0;
}

bool Connection::next_answer(Answered& answered) {
  const std::size_t skipped = std::min(skip_, read_ - parsed_);
  skip_ -= skipped;
  parsed_ += skipped;
  if (skip_ > 0 || parsed_ == read_) {
    return false;
  }
  const std::string_view bytes(in_.data() + parsed_, read_ - parsed_);
  answered.asked = ring_[oldest_];
  const Answer answer = dialect_->read(bytes, answered.asked.request.operation);
  if (answer.head == 0) {
    return false;
  }
  parsed_ += answer.head;
  skip_ = answer.body;
  answered.head = bytes.substr(0, answer.head);
  answered.status = asked_ > 0 ? answer.status : kMalformed;
  if (answered.status != kMalformed) {
    oldest_ = oldest_ + 1 == ring_.size() ? 0 : oldest_ + 1;
    --asked_;
    waits_for_all_ = waits_for_all_ && asked_ > 0;
  }
  return true;
}

}  // namespace concur::bench
