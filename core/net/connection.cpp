#include "net/connection.hpp"

#include "api/error_response.hpp"
#include "base/text.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

// What a connection reads, and its end; what it sends is in connection_output.cpp.
namespace concur {

namespace {

constexpr std::size_t kReadSize = std::size_t{8} * 1024;
// Of a body that is handled while it arrives: small enough that the first commands of a batch are
// being committed while the next are read.
constexpr std::size_t kBodyReadSize = std::size_t{16} * 1024;

}  // namespace

Connection::Connection(Fd socket, Poller& poller, Gate& gate, Handler& handler,
                       ClientMemory& memory, const Tick& now, Closed closed)
    : socket_(std::move(socket)),
      poller_(poller),
      gate_(gate),
      caller_(gate.identify(socket_.get())),
      handler_(handler),
      memory_(memory, [this] { return evict(); }),
      closed_(std::move(closed)),
      input_deadline_(now),
      output_deadline_(now) {}

void Connection::open() {
  update_deadlines();
  update_interest();
}

void Connection::close() {
  if (!socket_) return;
  poller_.forget(*this);
  socket_.close();
  sink_.reset();
  answers_.clear();
  refusal_.reset();
  decide_step_.cancel();
  send_step_.cancel();
  report_gone();
  closed_(*this);
}

// --- what arrives ---

void Connection::on_ready(unsigned events) {
  const auto self = shared_from_this();
  const bool over = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (wants_input()) {
    if (over || (events & EPOLLIN) != 0) receive();
  } else if (over && awaits_end()) {
    return close();
  } else if ((events & EPOLLRDHUP) != 0) {
    on_client_end();
  }
  if (!socket_) return;
  if (blocked_ && (over || (events & EPOLLOUT) != 0)) {
    blocked_ = false;
    send_later();
  }
  if (!send_step_.is_queued() && !decide_step_.is_queued()) update_interest();
}

void Connection::receive() {
  const std::size_t size = in_body() ? kBodyReadSize : kReadSize;
  if (!in_body()) in_.shrink(2 * kReadSize);
  const ssize_t arrived = ::recv(socket_.get(), in_.space(size), size, 0);
  if (arrived < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (arrived <= 0) return on_end(arrived == 0);
  in_.commit(static_cast<std::size_t>(arrived));
  if (input_ == Input::kSkipped || input_ == Input::kLingering) return in_.clear();
  if (input_ == Input::kBody) {
    input_deadline_.clear();
  } else {
    parse();
  }
  if (socket_) poller_.turn().at(Turn::Stage::kDecide, decide_step_);
}

// The end of the stream, or a broken one. Whoever only stopped sending still gets its answers.
void Connection::on_end(bool at_end) {
  const bool lingers = input_ == Input::kLingering;
  if (in_body()) give_up_body(400, "it ended before it was whole");
  input_ = Input::kNone;
  if (!at_end || lingers || answers_.empty() || peer_is_gone()) return close();
  on_client_end();
  send_later();
}

// It sends no more, and may be gone.
void Connection::on_client_end() {
  answers_.on_client_end();
  report_gone();
}

// Whether the other end is closed both ways: nobody is left to read an answer.
bool Connection::peer_is_gone() {
  pollfd entry{socket_.get(), 0, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0;
}

bool Connection::wants_input() const {
  switch (input_) {
    case Input::kNext:
      return in_.empty() && may_take_more();
    case Input::kHead:
    case Input::kRest:
      return !holds_request() && may_take_more();
    case Input::kBody:
      return !sink_->paused();
    case Input::kSkipped:
    case Input::kLingering:
      return true;
    case Input::kPaused:
    case Input::kNone:
      break;
  }
  return false;
}

bool Connection::may_take_more() const {
  return at_request() && answers_.has_room() && !(sink_ && sink_->paused());
}

// A request is parsed that is still to be decided: a whole one, or the head of one whose body
// streams.
bool Connection::holds_request() const {
  return input_ == Input::kRest && (call_.streams || parser_.done());
}

// Parses as far as it goes. True where a request can be decided.
bool Connection::parse() {
  if (holds_request()) return true;
  if (in_.empty() || !may_take_more()) return false;
  if (input_ == Input::kNext) {
    in_.consume(RequestParser::empty_lines(in_.data()));
    if (in_.empty()) return false;
    input_ = Input::kHead;
    input_deadline_.clear();
  }
  in_.consume(parser_.feed(in_.data()));
  if (input_ == Input::kHead && parser_.head_done()) {
    if (!authorize()) return false;
    if (!call_.streams && !parser_.done()) in_.consume(parser_.feed(in_.data()));
  }
  if (parser_.problem().status != 0) {
    refuse(parser_.problem().status, parser_.problem().cause);
    return false;
  }
  if (holds_request()) return true;
  // Bodies are taken as they come; what is left is a head, or a chunk's, and none of those may go
  // on for ever.
  if (in_.data().size() > RequestParser::kMaxHeaderBytes)
    refuse(431, "its header has more than 8 KiB");
  return false;
}

// Whether the request may come in whose head is whole; then the handler begins with it.
bool Connection::authorize() {
  if (auto refusal = gate_.authorize(caller_, parser_.credentials())) {
    if (!refusal->delayed) {
      refuse(refusal->status, refusal->cause);
    } else if (refusal->permit) {
      refuse_later(std::move(*refusal));
    } else {
      close();
    }
    return false;
  }
  input_ = Input::kRest;
  call_.request = {parser_.method(), parser_.target(), {}, caller_.role, caller_.name,
                   caller_.uid,      parser_.fields()};
  call_.asker = this;
  handler_.begin(call_);
  if (call_.streams) parser_.take_body(RequestParser::Body::kStreamed);
  return true;
}

void Connection::refuse(int status, std::string_view cause) {
  const bool head_only = parser_.head_done() && parser_.method() == "HEAD";
  input_ = Input::kNone;
  in_.clear();
  respond(answers_.add({.keep_alive = false, .head_only = head_only}),
          error_response(status, text::format("cannot take the request: {}", cause)));
}

void Connection::refuse_later(Refusal&& refusal) {
  input_ = Input::kNone;
  in_.clear();
  refusal_ = std::move(refusal);
  send_later();
}

// --- what is decided ---

// Takes requests as long as there are any and there is room for their answers.
void Connection::decide() {
  const auto self = shared_from_this();
  while (socket_ && !aborted_ && (in_body() ? take_body() : take_request())) {
  }
  if (socket_) send_later();
}

// False where no request can be decided.
bool Connection::take_request() {
  if (!parse() || !may_take_more()) return false;
  const bool keep_alive = parser_.keep_alive() && !(retired_ && in_.empty() && !call_.streams);
  const auto number = answers_.add({.keep_alive = keep_alive,
                                    .head_only = parser_.method() == "HEAD",
                                    .chunks = parser_.takes_chunks(),
                                    .expects_continue = parser_.take_expectation()});
  call_.request.body = parser_.body();
  handled_ = number;
  auto sink = handler_.handle(call_, responder(number));
  call_.target.clear();
  if (call_.streams) {
    begin_body(number, std::move(sink));
  } else {
    parser_.reset();
    input_ = keep_alive ? Input::kNext : Input::kNone;
  }
  answers_.collect();  // so that there is room for the next
  return true;
}

void Connection::begin_body(AnswerQueue::Number number, std::shared_ptr<BodySink> sink) {
  sink_ = std::move(sink);
  sink_number_ = number;
  input_ = Input::kBody;
  if (!sink_) {
    answers_.close_behind(number);
    skip_body();
  } else if (parser_.done()) {
    end_body();
  }
}

// False where it waits for more, or for room.
bool Connection::take_body() {
  input_ = sink_->paused() ? Input::kPaused : Input::kBody;
  if (input_ == Input::kPaused || in_.empty()) return false;
  in_.consume(parser_.feed(in_.data()));
  const bool wanted = parser_.body().empty() || sink_->take(parser_.body());
  parser_.clear_body();
  if (!wanted) {
    skip_body();
  } else if (parser_.problem().status != 0) {
    give_up_body(parser_.problem().status, parser_.problem().cause);
  } else if (parser_.done()) {
    end_body();
    return true;
  } else if (in_.data().size() > RequestParser::kMaxHeaderBytes) {
    give_up_body(431, "a chunk's header has more than 8 KiB");
  }
  return false;
}

void Connection::end_body() {
  input_ = parser_.keep_alive() ? Input::kNext : Input::kNone;
  parser_.reset();
  sink_->finish();
}

void Connection::give_up_body(int status, std::string_view cause) {
  skip_body();
  sink_->give_up(status, cause);
}

void Connection::skip_body() {
  input_ = Input::kSkipped;
  in_.clear();
}

Handler::Respond Connection::responder(AnswerQueue::Number number) {
  return [self = shared_from_this(), number](Response&& response) {
    self->respond(number, std::move(response));
  };
}

void Connection::respond(AnswerQueue::Number number, Response&& response) {
  std::erase_if(to_call_, [number](const auto& each) { return each.first == number; });
  if (!socket_ || aborted_) return;
  if (response.source) {
    response.source->set_waker([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->send_later();
    });
  }
  const bool first = answers_.put(number, std::move(response));
  count_memory();
  if (first) send_later();
}

void Connection::on_gone(Callback<void()> gone) {
  to_call_.emplace_back(handled_, std::move(gone));
}

// An answer may come of it at once.
void Connection::report_gone() {
  for (const auto& [number, gone] : std::exchange(to_call_, {})) gone();
}

// A source may have nothing to send for hours, and a request may wait for as long: that nobody is
// left to be answered shows nowhere else where nothing is read any more.
bool Connection::awaits_end() const {
  return !to_call_.empty() || (answers_.streams() && !in_body());
}

// --- time and the end ---

void Connection::check_time() {
  if (!socket_) return;
  if (output_deadline_.missed() != Waits::kNothing) return close();
  switch (input_deadline_.missed()) {
    case Waits::kNothing:
    case Waits::kTaking:
      return;
    case Waits::kRequest:
      return retire();
    case Waits::kEnd:
      return close();
    case Waits::kRest:
      refuse(408, "it did not arrive whole within 10 s");
      break;
    case Waits::kBody:
      give_up_body(408, "it did not arrive within 10 s");
      break;
    case Waits::kRefusal:
      refuse(refusal_->status, refusal_->cause);
      refusal_.reset();
      break;
  }
  input_deadline_.clear();
  send_later();
}

void Connection::drain() {
  answers_.drain();
  retire();
}

// A client that has nothing under way can send no more from here on, and knows it: what it sent
// just before that is answered, and what it wants to send later is refused by the system, unsent.
void Connection::retire() {
  retired_ = true;
  if (!idle()) return;
  if (!may_take_more()) return close();
  // What the client sends from here on fails, which says that it must ask elsewhere. What it sent
  // before is still read, and answered; its end comes behind that.
  int arrived = 0;
  const bool begun =
      in_request() || (::ioctl(socket_.get(), FIONREAD, &arrived) == 0 && arrived > 0);
  if (!begun) ::shutdown(socket_.get(), SHUT_RD);
}

}  // namespace concur
