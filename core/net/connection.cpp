#include "net/connection.hpp"

#include "api/answer_json.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr std::size_t kReadSize = std::size_t{8} * 1024;
constexpr std::size_t kMostPipelined = 128;
constexpr std::size_t kMostOwed = std::size_t{256} * 1024;
constexpr Tick kSendTime = 10;    // for a whole request to arrive
constexpr Tick kIdleTime = 75;    // between requests, and for a client to take its answers
constexpr Tick kDiscardTime = 2;  // for a refused client to read why

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string serialize(const Response& response, bool keep_alive, bool head_only) {
  std::string out;
  out.reserve(160 + response.headers.size() + response.body.size());
  out += "HTTP/1.1 ";
  out += fmt::format_int(response.status).c_str();
  out += ' ';
  out += reason_of(response.status);
  out += "\r\nContent-Type: ";
  out += response.content_type;
  out += "\r\nContent-Length: ";
  out += fmt::format_int(response.body.size()).c_str();
  out += "\r\n";
  out += response.headers;
  if (!keep_alive) out += "Connection: close\r\n";
  out += "\r\n";
  if (!head_only) out += response.body;
  return out;
}

bool is_would_block(const boost::system::error_code& error) {
  return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
}

}  // namespace

Connection::Connection(Socket socket, Role role, Handler& handler, const Tick& now, Closed closed)
    : socket_(std::move(socket)),
      role_(role),
      handler_(handler),
      now_(now),
      closed_(std::move(closed)),
      since_(now) {}

void Connection::open() {
  boost::system::error_code error;
  socket_.non_blocking(true, error);
  read();
}

void Connection::close() {
  if (!std::exchange(open_, false)) return;
  boost::system::error_code ignored;
  socket_.close(ignored);
  closed_(*this);
}

// --- reading ---

void Connection::read() {
  if (reading_ || !open_) return;
  reading_ = true;
  socket_.async_read_some(
      boost::asio::buffer(in_.space(kReadSize), kReadSize),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
        self->reading_ = false;
        if (!self->open_) return;
        if (error) return self->on_read_failed(error);
        self->in_.commit(size);
        self->on_read();
      });
}

// The end of the stream, or a broken one. Whoever only stopped sending still gets its answers.
void Connection::on_read_failed(const boost::system::error_code& error) {
  no_more_ = true;
  const bool owes_nothing = places_.empty() && unwritten() == 0;
  if (error != boost::asio::error::eof || discarding_ || owes_nothing || peer_is_gone()) close();
}

// Whether the other end is closed both ways: nobody is left to read an answer.
bool Connection::peer_is_gone() {
  pollfd entry{socket_.native_handle(), 0, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0;
}

void Connection::on_read() {
  if (!discarding_) return process();
  in_.clear();
  read();
}

bool Connection::may_take_more() const {
  return open_ && !no_more_ && places_.size() < kMostPipelined && owed() < kMostOwed;
}

// Takes requests as long as there are any and there is room for their answers, then writes what can
// be written.
void Connection::process() {
  if (processing_) return;
  processing_ = true;
  while (may_take_more() && !in_.empty() && take_request()) {
  }
  processing_ = false;
  if (open_) write();
}

// False where a whole request is not there yet.
bool Connection::take_request() {
  if (!std::exchange(partial_, true)) since_ = now_;
  in_.consume(parser_.feed(in_.data()));
  if (parser_.problem().status != 0) {
    refuse(parser_.problem().status, parser_.problem().cause);
    return false;
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

void Connection::dispatch() {
  const std::uint64_t place = first_place_ + places_.size();
  const bool keep_alive = parser_.keep_alive() && !(draining_ && in_.empty());
  places_.push_back({{}, false, keep_alive, parser_.method() == "HEAD"});
  if (!keep_alive) no_more_ = true;
  handler_.handle({parser_.method(), parser_.target(), parser_.body(), role_},
                  [self = shared_from_this(), place](const Response& response) {
                    self->respond(place, response);
                  });
  parser_.reset();
  partial_ = false;
}

void Connection::refuse(int status, std::string_view cause) {
  no_more_ = true;
  partial_ = false;
  in_.clear();
  places_.push_back({{}, false, false, false});
  respond(first_place_ + places_.size() - 1,
          error_response(status, fmt::format("cannot take the request: {}", cause)));
}

// --- answering ---

void Connection::respond(std::uint64_t number, const Response& response) {
  if (!open_) return;
  Place& place = places_[number - first_place_];
  place.bytes = serialize(response, place.keep_alive, place.head_only);
  place.ready = true;
  held_ += place.bytes.size();
  if (number != first_place_ || processing_) return;
  if (places_.size() == 1) {
    write();
    return;
  }
  post_write();
}

// Others may become ready in this turn of the loop: one write for all.
void Connection::post_write() {
  if (std::exchange(write_posted_, true)) return;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->write_posted_ = false;
    if (self->open_) self->write();
  });
}

void Connection::collect_ready() {
  for (; !places_.empty() && places_.front().ready; ++first_place_) {
    out_ += places_.front().bytes;
    held_ -= places_.front().bytes.size();
    places_.pop_front();
  }
}

void Connection::write() {
  collect_ready();
  if (waiting_writable_ || unwritten() == 0) return after_write();
  boost::system::error_code error;
  written_ += socket_.write_some(boost::asio::buffer(out_.data() + written_, unwritten()), error);
  if (error && !is_would_block(error)) return close();
  since_ = now_;
  if (unwritten() > 0) return wait_writable();
  out_.clear();
  written_ = 0;
  after_write();
}

void Connection::wait_writable() {
  waiting_writable_ = true;
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->waiting_writable_ = false;
                       if (!self->open_) return;
                       if (error) return self->close();
                       self->write();
                     });
}

void Connection::after_write() {
  if (unwritten() > 0 || processing_) return;
  if (places_.empty() && no_more_) return discard_rest();
  if (draining_ && idle() && !partial_) return drain();
  if (partial_ && places_.empty() && parser_.take_expectation()) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    return write();
  }
  if (reading_ || !may_take_more()) return;
  // Whole requests may have been left waiting for room; a part of one waits for the rest of it.
  if (in_.empty() || partial_) {
    read();
  } else {
    process();
  }
}

// A close with unread bytes would reset the connection and could take the answer with it.
void Connection::discard_rest() {
  if (discarding_) return;
  discarding_ = true;
  since_ = now_;
  boost::system::error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error) return close();
  in_.clear();
  read();
}

// --- time and the end ---

void Connection::check_time() {
  const Tick passed = now_ - since_;
  if (discarding_) {
    if (passed >= kDiscardTime) close();
  } else if (partial_ && places_.empty() && unwritten() == 0) {
    if (passed < kSendTime) return;
    refuse(408, "it did not arrive whole within 10 s");
    write();
  } else if (places_.empty() || unwritten() > 0) {
    if (passed >= kIdleTime) close();
  }
}

void Connection::drain() {
  draining_ = true;
  boost::system::error_code error;
  const bool more_arrived = socket_.available(error) > 0 && !error;
  if (idle() && !partial_ && !more_arrived) {
    close();
  } else if (may_take_more()) {
    read();
  }
}

}  // namespace concur
