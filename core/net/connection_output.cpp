#include "net/connection.hpp"
#include "net/response_head.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

// How a connection writes its answers; what it reads is in connection.cpp.
namespace concur {

namespace {

constexpr std::size_t kMostAhead = std::size_t{64} * 1024;  // of a source, not yet written
constexpr std::size_t kKept = std::size_t{8} * 1024;        // of room, for the next answer
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::size_t size_of(const Response& response) {
  constexpr std::size_t kHead = 160;
  return kHead + response.headers.size() + response.body.size();
}

}  // namespace

// For the request that has the last place.
Handler::Respond Connection::responder() {
  return [self = shared_from_this(), place = first_place_ + places_.size() - 1](
             Response&& response) { self->respond(place, std::move(response)); };
}

void Connection::respond(std::uint64_t number, Response&& response) {
  if (!open_ || broken_) return;
  Place& place = places_[number - first_place_];
  place.response = std::move(response);
  place.ready = true;
  held_ += size_of(place.response);
  count_memory();
  if (const auto& source = place.response.source) {
    source->on_more([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->write_later();
    });
    if (draining_) source->drain();
  }
  if (number != first_place_ || processing_) return;
  if (!place.response.source) {
    collect();
    since_ = now_;  // what it owes from here on is as old as this
  }
  write_later();
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

// Others may become ready in this turn: one write for all.
void Connection::write_later() {
  if (std::exchange(writes_later_, true)) return;
  poller_.later(shared_from_this());
}

void Connection::write() {
  const bool more = !broken_ && collect();
  if (broken_) return close();
  if (!waiting_writable_ && unwritten() > 0) {
    const ssize_t sent = ::send(socket_.get(), out_.data() + written_, unwritten(), MSG_NOSIGNAL);
    if (sent >= 0) {
      written_ += static_cast<std::size_t>(sent);
    } else if (errno != EAGAIN && errno != EINTR) {
      return close();
    }
    since_ = now_;
    waiting_writable_ = unwritten() > 0;
    if (!waiting_writable_) {
      out_.clear();
      if (out_.capacity() > kKept) give_back(out_);
      written_ = 0;
    }
  }
  count_memory();
  if (more && unwritten() == 0) write_later();
  after_write();
  if (open_) watch();
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
  write_later();
  return caller_.name;
}

// A close with unread bytes would reset the connection and could take the answer with it.
void Connection::discard_rest() {
  if (discarding_) return;
  discarding_ = true;
  since_ = now_;
  if (::shutdown(socket_.get(), SHUT_WR) != 0) return close();
  in_.clear();
  read();
}

}  // namespace concur
