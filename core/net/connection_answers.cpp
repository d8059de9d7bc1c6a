#include "net/connection.hpp"
#include "net/response_head.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <utility>

// How a connection writes its answers; what it reads is in connection.cpp.
namespace concur {

namespace {

constexpr std::size_t kMostAhead = std::size_t{64} * 1024;  // of a source, not yet written
constexpr std::size_t kKept = std::size_t{8} * 1024;        // of room, for the next answer
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

bool is_would_block(const boost::system::error_code& error) {
  return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
}

std::size_t size_of(const Response& response) {
  constexpr std::size_t kHead = 160;
  return kHead + response.headers.size() + response.body.size();
}

}  // namespace

// For the request that has the last place.
Handler::Respond Connection::responder() {
  return [self = shared_from_this(), place = first_place_ + places_.size() - 1](Response response) {
    self->respond(place, std::move(response));
  };
}

void Connection::respond(std::uint64_t number, Response response) {
  if (!open_ || broken_) return;
  Place& place = places_[number - first_place_];
  place.response = std::move(response);
  place.ready = true;
  held_ += size_of(place.response);
  count_memory();
  if (const auto& source = place.response.source) {
    source->on_more([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->post_write();
    });
    if (draining_) source->drain();
  }
  if (number != first_place_ || processing_) return;
  if (places_.size() == 1) {
    write();
    return;
  }
  post_write();
}

// Appends what is ready to the out buffer, in the order of the requests. True where there is more
// at once than a turn may have.
bool Connection::collect() {
  if (written_ >= kMostAhead) {
    out_.erase(0, written_);
    written_ = 0;
  }
  for (; !places_.empty(); ++first_place_) {
    Place& place = places_.front();
    if (std::exchange(place.expects_continue, false)) {
      out_ += kContinue;
      input_since_ = now_;
    }
    if (!place.ready) return false;
    if (!place.begun) begin_answer(place);
    if (place.response.source) {
      const auto state = pull(place);
      broken_ = broken_ || state == BodySource::State::kBroken;
      if (broken_) return false;
      if (state != BodySource::State::kEnd) return state == BodySource::State::kMore;
      if (place.chunks) out_ += kLastChunk;
      if (sink_ && first_place_ == sink_place_) {
        if (receiving_) drop_body();
        sink_.reset();
      }
    }
    places_.pop_front();
  }
  return false;
}

void Connection::begin_answer(Place& place) {
  const Response& response = place.response;
  place.begun = true;
  held_ -= size_of(response);
  Framing framing = Framing::kLength;
  if (response.source) framing = place.chunks ? Framing::kChunked : Framing::kClose;
  append_head(out_, response, framing, place.keep_alive);
  if (place.head_only) {
    place.response.source.reset();
  } else if (framing == Framing::kChunked && !response.body.empty()) {
    append_chunk(out_, response.body);
  } else {
    out_ += response.body;
  }
  if (response.source) watch_hangup();
}

// Reads the source no further than the client takes it.
BodySource::State Connection::pull(const Place& place) {
  while (unwritten() < kMostAhead) {
    std::string part;
    const auto state = place.response.source->read(part, kMostAhead - unwritten());
    if (place.chunks && !part.empty()) {
      append_chunk(out_, part);
    } else {
      out_ += part;
    }
    if (state != BodySource::State::kMore || part.empty()) return state;
  }
  return BodySource::State::kMore;
}

// A source may have nothing to write for hours: that nobody is left to read it shows nowhere else
// where nothing is read any more.
void Connection::watch_hangup() {
  if (std::exchange(watching_hangup_, true)) return;
  socket_.async_wait(
      Socket::wait_error, [self = shared_from_this()](const boost::system::error_code& error) {
        self->watching_hangup_ = false;
        if (error || !self->open_ || self->receiving_) return;
        const bool streams = !self->places_.empty() && self->places_.front().response.source;
        if (streams && self->peer_is_gone()) self->close();
      });
}

// Others may become ready in this turn of the loop: one write for all.
void Connection::post_write() {
  if (std::exchange(write_posted_, true)) return;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->write_posted_ = false;
    if (self->open_) self->write();
  });
}

void Connection::write() {
  const bool more = !broken_ && collect();
  if (broken_) return close();
  if (!waiting_writable_ && unwritten() > 0) {
    boost::system::error_code error;
    written_ += socket_.write_some(boost::asio::buffer(out_.data() + written_, unwritten()), error);
    if (error && !is_would_block(error)) return close();
    since_ = now_;
    if (unwritten() > 0) {
      wait_writable();
    } else {
      out_.clear();
      if (out_.capacity() > kKept) give_back(out_);
      written_ = 0;
    }
  }
  count_memory();
  if (more && unwritten() == 0) post_write();
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
  if (processing_) return;
  if (receiving_) return read_body();
  if (unwritten() > 0) return;
  if (places_.empty() && no_more_) return discard_rest();
  if (draining_ && idle() && !partial_) return drain();
  if (partial_ && places_.empty() && parser_.take_expectation()) {
    out_ += kContinue;
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

// Room that is kept for what comes next counts too.
void Connection::count_memory() {
  constexpr std::size_t kUnderWay = 1024;  // of each request, here and where its answer waits
  memory_.set(in_.capacity() + parser_.capacity() + out_.capacity() + held_ +
              places_.size() * kUnderWay);
}

// Others need the memory, and this one holds most of it. What is being worked on may be in use.
std::string Connection::let_go() {
  broken_ = true;
  give_back(out_);
  written_ = 0;
  for (Place& place : places_) give_back(place.response.body);
  post_write();
  return caller_.name;
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

}  // namespace concur
