#include "net/connection.hpp"

#include "api/error_response.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kReadSize = std::size_t{8} * 1024;
// Of a body that is handled while it arrives: small enough that the first commands of a batch are
// being committed while the next are read.
constexpr std::size_t kBodyReadSize = std::size_t{16} * 1024;
constexpr std::size_t kMostPipelined = 128;
constexpr std::size_t kMostOwed = std::size_t{256} * 1024;
constexpr Tick kSendTime = 10;    // for a whole request to arrive
constexpr Tick kIdleTime = 75;    // between requests, and for a client to take its answers
constexpr Tick kDiscardTime = 2;  // for a refused client to read why
constexpr Tick kLateTime = 2;     // at most; what trying a key costs

}  // namespace

Connection::Connection(Fd socket, Poller& poller, Gate& gate, Handler& handler,
                       ClientMemory& memory, const Tick& now, Closed closed)
    : socket_(std::move(socket)),
      poller_(poller),
      gate_(gate),
      caller_(gate.greet(socket_.get())),
      handler_(handler),
      memory_(memory, [this] { return let_go(); }),
      now_(now),
      closed_(std::move(closed)),
      parser_([&handler](std::string_view method, std::string_view target) {
        return handler.streams(method, target);
      }),
      since_(now) {}

void Connection::open() { read(); }

void Connection::close() {
  if (!std::exchange(open_, false)) return;
  poller_.forget(*this);
  socket_.close();
  sink_.reset();
  places_.clear();
  late_.reset();
  closed_(*this);
}

// --- what the poller tells ---

void Connection::on_ready(unsigned events) {
  const auto self = shared_from_this();
  const bool over = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (reading_) {
    if (over || (events & EPOLLIN) != 0) receive();
  } else if (over && streams() && !receiving_) {
    // A source may have nothing to write for hours: that nobody is left to read it shows nowhere
    // else where nothing is read any more.
    close();
  }
  if (open_ && waiting_writable_ && (over || (events & EPOLLOUT) != 0)) {
    waiting_writable_ = false;
    if (!arrived_) write();  // otherwise behind what that leads to
  }
  if (open_ && !writes_later_) watch();
}

void Connection::on_turn_end() {
  writes_later_ = false;
  if (!open_) return;
  if (std::exchange(arrived_, false)) {
    process();
  } else {
    write();
  }
}

// Has the poller watch for what is waited for. Where it cannot, the connection closes at the end of
// the turn: whoever calls goes on with it.
void Connection::watch() {
  Poller::Interest wanted;
  if (reading_ || waiting_writable_ || (streams() && !receiving_)) {
    wanted = (reading_ ? EPOLLIN : 0U) | (waiting_writable_ ? EPOLLOUT : 0U);
  }
  if (poller_.watch(socket_.get(), *this, watched_, wanted)) {
    watched_ = wanted;
  } else {
    broken_ = true;
    write_later();
  }
}

// --- reading ---

void Connection::read() {
  if (reading_ || !open_) return;
  reading_ = true;
  input_since_ = now_;
  if (!receiving_) in_.shrink(2 * kReadSize);
  watch();
}

void Connection::receive() {
  const std::size_t size = receiving_ ? kBodyReadSize : kReadSize;
  const ssize_t arrived = ::recv(socket_.get(), in_.space(size), size, 0);
  if (arrived < 0 && (errno == EAGAIN || errno == EINTR)) return;
  reading_ = false;
  if (arrived <= 0) return on_read_failed(arrived == 0);
  in_.commit(static_cast<std::size_t>(arrived));
  on_read();
}

// The end of the stream, or a broken one. Whoever only stopped sending still gets its answers.
void Connection::on_read_failed(bool at_end) {
  no_more_ = true;
  if (receiving_) give_up_body(400, "it ended before it was whole");
  const bool owes_nothing = places_.empty() && unwritten() == 0;
  if (!at_end || discarding_ || owes_nothing || peer_is_gone()) close();
}

// Whether the other end is closed both ways: nobody is left to read an answer.
bool Connection::peer_is_gone() {
  pollfd entry{socket_.get(), 0, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0;
}

void Connection::on_read() {
  if (discarding_ || dropping_) {
    in_.clear();
    return read();
  }
  if (!partial_ && !receiving_) handler_.foresee(in_.data());
  arrived_ = true;
  write_later();
}

bool Connection::may_take_more() const {
  // Behind an answer that may have no end there is nothing to be told.
  const bool may_have_no_end = !places_.empty() && places_.back().response.source;
  return open_ && !no_more_ && !may_have_no_end && !receiving_ && !(sink_ && sink_->full()) &&
         places_.size() < kMostPipelined && owed() < kMostOwed;
}

// Takes requests as long as there are any and there is room for their answers; what can be written
// then is, at the end of the turn.
void Connection::process() {
  if (processing_) return;
  processing_ = true;
  while (!broken_ && !in_.empty() &&
         (receiving_ ? take_body() : may_take_more() && take_request())) {
  }
  processing_ = false;
  if (open_) write_later();
}

// False where a whole request is not there yet.
bool Connection::take_request() {
  if (!std::exchange(partial_, true)) since_ = now_;
  in_.consume(parser_.feed(in_.data()));
  if (parser_.problem().status != 0) {
    refuse(parser_.problem().status, parser_.problem().cause);
    return false;
  }
  if (parser_.header_done() && !admit()) return false;
  if (parser_.streaming()) {
    begin_body();
    return true;
  }
  if (!parser_.done()) {
    // Bodies are taken as they come; what is left is a header, or a chunk's, and none of those may
    // go on for ever.
    if (in_.data().size() > RequestParser::kMostHeaderBytes)
      refuse(431, "its header has more than 8 KiB");
    return false;
  }
  dispatch();
  return true;
}

// Whether the gate lets the request in whose header is whole.
bool Connection::admit() {
  if (std::exchange(admitted_, true)) return true;
  auto refusal = gate_.admit(caller_, parser_.credentials());
  if (!refusal) return true;
  if (refusal->slow && !refusal->turn) {
    close();
    return false;
  }
  if (!refusal->slow) {
    refuse(403, refusal->cause);
    return false;
  }
  no_more_ = true;
  partial_ = false;
  in_.clear();
  places_.push_back({.keep_alive = false});
  late_ = Late{first_place_ + places_.size() - 1,
               error_response(403, text::format("cannot take the request: {}", refusal->cause)),
               now_ + kLateTime, std::move(refusal->turn)};
  return false;
}

void Connection::dispatch() {
  const bool keep_alive = parser_.keep_alive() && !(draining_ && in_.empty());
  places_.push_back({.keep_alive = keep_alive,
                     .head_only = parser_.method() == "HEAD",
                     .chunks = parser_.takes_chunks()});
  if (!keep_alive) no_more_ = true;
  handler_.handle({parser_.method(), parser_.target(), parser_.body(), caller_.role, caller_.name},
                  responder());
  parser_.reset();
  admitted_ = false;
  partial_ = false;
  // It goes out at the end of the turn; its room is of use to the next before.
  if (open_ && !places_.empty() && places_.front().ready && !streams()) collect();
}

void Connection::refuse(int status, std::string_view cause) {
  no_more_ = true;
  partial_ = false;
  in_.clear();
  places_.push_back({.keep_alive = false});
  respond(first_place_ + places_.size() - 1,
          error_response(status, text::format("cannot take the request: {}", cause)));
}

// --- a body that is handled while it arrives ---

void Connection::begin_body() {
  partial_ = false;
  places_.push_back({.keep_alive = parser_.keep_alive(), .chunks = parser_.takes_chunks()});
  if (!parser_.keep_alive()) no_more_ = true;
  sink_place_ = first_place_ + places_.size() - 1;
  admitted_ = false;
  sink_ = handler_.handle_stream(
      {parser_.method(), parser_.target(), {}, caller_.role, caller_.name}, responder());
  receiving_ = true;
  if (!sink_) {
    places_.back().keep_alive = false;
    return drop_body();
  }
  places_.back().expects_continue = parser_.take_expectation();
  if (parser_.done()) end_body();
}

// False where it waits for more, or for room.
bool Connection::take_body() {
  body_left_ = sink_->full();
  if (body_left_) return false;
  in_.consume(parser_.feed(in_.data()));
  const bool wanted = parser_.body().empty() || sink_->take(parser_.body());
  parser_.clear_body();
  if (!wanted) {
    drop_body();
  } else if (parser_.problem().status != 0) {
    give_up_body(parser_.problem().status, parser_.problem().cause);
    drop_body();
  } else if (parser_.done()) {
    end_body();
    return true;
  } else if (in_.data().size() > RequestParser::kMostHeaderBytes) {
    give_up_body(431, "a chunk's header has more than 8 KiB");
    drop_body();
  }
  return false;
}

void Connection::end_body() {
  receiving_ = false;
  parser_.reset();
  sink_->finish();
}

void Connection::give_up_body(int status, std::string_view cause) {
  receiving_ = false;
  no_more_ = true;
  sink_->give_up(status, cause);
}

// The rest of it is read, so that who sends it gets to read the answer, and the connection is of no
// use behind it.
void Connection::drop_body() {
  receiving_ = false;
  no_more_ = true;
  dropping_ = true;
  in_.clear();
  read();
}

// Its answers wait in the way of nobody: who sends all of it before reading any must not be stuck.
void Connection::read_body() {
  if (reading_ || sink_->full()) return;
  if (body_left_) {
    process();
  } else {
    read();
  }
}

// --- time and the end ---

void Connection::check_time() {
  const Tick passed = now_ - since_;
  if (late_ && now_ >= late_->due) {
    auto late = std::exchange(late_, std::nullopt);
    respond(late->place, std::move(late->response));
  } else if (discarding_) {
    if (passed >= kDiscardTime) close();
  } else if (receiving_ && unwritten() > 0 && passed >= kIdleTime) {
    close();
  } else if (receiving_) {
    const bool waits = reading_ && !places_.back().expects_continue;
    if (!waits || now_ - input_since_ < kSendTime) return;
    give_up_body(408, "it did not arrive within 10 s");
    drop_body();
  } else if (partial_ && places_.empty() && unwritten() == 0) {
    if (passed < kSendTime) return;
    refuse(408, "it did not arrive whole within 10 s");
    write();
  } else if (places_.empty() || unwritten() > 0) {
    if (passed >= (caller_.known ? kIdleTime : kSendTime)) close();
  }
}

// A client that has nothing under way can send no more from here on, and knows it: what it sent
// just before that is answered, and what it wants to send later is refused by the system, unsent.
void Connection::drain() {
  draining_ = true;
  for (const Place& place : places_) {
    if (place.response.source) place.response.source->drain();
  }
  if (idle() && !may_take_more()) return close();
  // What the client sends from here on fails, which tells it to ask elsewhere. What it sent before
  // is still read, and answered; its end comes behind that.
  int arrived = 0;
  const bool begun = partial_ || (::ioctl(socket_.get(), FIONREAD, &arrived) == 0 && arrived > 0);
  if (idle() && !begun) ::shutdown(socket_.get(), SHUT_RD);
  if (may_take_more()) read();
}

}  // namespace concur
