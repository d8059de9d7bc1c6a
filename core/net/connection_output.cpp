#include "net/connection.hpp"

#include "net/response_head.hpp"

#include <sys/socket.h>

#include <cerrno>

// What a connection sends, and what it waits for then; what it reads is in connection.cpp.
namespace concur {

namespace {

constexpr Tick kArrivalTime = 10;  // for a whole request, or for more of a body
constexpr Tick kIdleTime = 75;     // between requests, and for a client to take its answers
static_assert(kKeepAlive == "Keep-Alive: timeout=75\r\n\r\n");
constexpr Tick kUnknownTime = 10;  // the same, where the client has not shown who it is
constexpr Tick kRefusalDelay = 2;  // what trying a key costs
constexpr Tick kLingerTime = 2;    // for a refused client to read why

}  // namespace

void Connection::send_later() { poller_.turn().at(Turn::Stage::kSend, send_step_); }

// At the end of a turn, for all that became ready in it.
void Connection::send() {
  const auto self = shared_from_this();
  if (!socket_) return;
  const bool more = !aborted_ && collect();
  if (!aborted_) send_some();
  if (aborted_) return close();
  if (more && answers_.unsent().empty()) send_later();
  count_memory();
  go_on();
  if (!socket_) return;
  update_deadlines();
  update_interest();
}

// True where there is more at once than should be sent in one go.
bool Connection::collect() {
  const auto progress = answers_.pull();
  if (progress == AnswerQueue::Progress::kBroken) aborted_ = true;
  if (sink_ && answers_.first() > sink_number_) {
    if (in_body()) skip_body();  // it answered without the rest
    sink_.reset();
  }
  if (in_request() && answers_.empty() && parser_.take_expectation()) answers_.add_continue();
  return progress == AnswerQueue::Progress::kMore;
}

void Connection::send_some() {
  if (blocked_ || answers_.unsent().empty()) return;
  const std::string_view bytes = answers_.unsent();
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) {
    answers_.sent(static_cast<std::size_t>(sent));
  } else if (errno != EAGAIN && errno != EINTR) {
    aborted_ = true;
  }
  blocked_ = !answers_.unsent().empty();
  output_deadline_.clear();
}

// What can be done now that there may be room.
void Connection::go_on() {
  const bool resumed = input_ == Input::kPaused && !sink_->paused();
  const bool left = holds_request() || (input_ == Input::kNext && !in_.empty());
  if (resumed || (left && may_take_more())) {
    poller_.turn().at(Turn::Stage::kDecide, decide_step_);
  } else if (answers_.empty() && !refusal_ &&
             (input_ == Input::kNone || input_ == Input::kSkipped)) {
    linger();
  } else if (retired_ && idle() && !in_request()) {
    retire();
  }
}

void Connection::linger() {
  input_ = Input::kLingering;
  in_.clear();
  if (::shutdown(socket_.get(), SHUT_WR) != 0) close();
}

// --- what is waited for ---

void Connection::update_deadlines() {
  if (blocked_) {
    output_deadline_.await(Waits::kTaking, patience());
  } else {
    output_deadline_.clear();
  }
  if (refusal_) {
    input_deadline_.await(Waits::kRefusal, kRefusalDelay);
  } else if (input_ == Input::kLingering) {
    input_deadline_.await(Waits::kEnd, kLingerTime);
  } else if (input_ == Input::kBody && wants_input() && !answers_.awaits_continue()) {
    input_deadline_.await(Waits::kBody, kArrivalTime);
  } else if (in_request() && answers_.empty()) {
    input_deadline_.await(Waits::kRest, kArrivalTime);
  } else if (answers_.empty()) {
    input_deadline_.await(Waits::kRequest, patience());
  } else {
    input_deadline_.clear();
  }
}

Tick Connection::patience() const { return caller_.known ? kIdleTime : kUnknownTime; }

// Has the poller watch for what is waited for.
void Connection::update_interest() {
  const bool reads = wants_input();
  Poller::Interest wanted;
  if (reads || blocked_ || awaits_end()) {
    const bool takes_leave =
        !reads &&
        (!to_call_.empty() || (!answers_.client_ended() && answers_.streams() && !in_body()));
    wanted = (reads ? EPOLLIN : 0U) | (blocked_ ? EPOLLOUT : 0U) | (takes_leave ? EPOLLRDHUP : 0U);
  }
  if (poller_.watch(socket_.get(), *this, watched_, wanted)) {
    watched_ = wanted;
  } else {
    aborted_ = true;
    send_later();
  }
}

// Room that is kept for what comes next counts too.
void Connection::count_memory() {
  memory_.set(in_.capacity() + parser_.capacity() + call_.target.capacity() + answers_.memory());
}

// Others need the memory, and this one holds most of it. What is being worked on may be in use.
std::string Connection::evict() {
  aborted_ = true;
  answers_.drop_texts();
  send_later();
  return caller_.name;
}

}  // namespace concur
