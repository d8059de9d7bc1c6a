#include "net/answer_queue.hpp"

#include "api/client_memory.hpp"
#include "net/response_head.hpp"

#include <utility>

namespace concur {

namespace {

constexpr std::size_t kMaxAhead = std::size_t{64} * 1024;  // of a source, and not sent
constexpr std::size_t kKept = std::size_t{8} * 1024;       // of room, for the next answer
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::size_t size_of(const Response& response) {
  constexpr std::size_t kHead = 160;
  return kHead + response.headers.size() + response.body.size();
}

}  // namespace

AnswerQueue::Number AnswerQueue::add(const AnswerForm& form) {
  const Number number = places_.add();
  places_.back().form = form;
  return number;
}

bool AnswerQueue::put(Number number, Response&& response) {
  Place& place = places_[number];
  place.response = std::move(response);
  place.ready = true;
  held_ += size_of(place.response);
  if (draining_ && place.response.source) place.response.source->drain();
  if (client_ended_ && place.response.source) place.response.source->on_client_end();
  return number == places_.first();
}

void AnswerQueue::add_continue() { out_ += kContinue; }

void AnswerQueue::collect() {
  if (sent_ >= kMaxAhead) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  while (!places_.empty()) {
    Place& place = places_.front();
    // A whole answer needs no leave before it: the body is not wanted.
    const bool refused = place.ready && !place.response.source;
    if (std::exchange(place.form.expects_continue, false) && !refused) add_continue();
    if (!place.ready) return;
    if (!place.begun) begin(place);
    if (place.response.source) return;
    places_.pop_front();
  }
}

void AnswerQueue::begin(Place& place) {
  const Response& response = place.response;
  place.begun = true;
  held_ -= size_of(response);
  Framing framing = Framing::kLength;
  if (response.source) framing = place.form.chunks ? Framing::kChunked : Framing::kClose;
  append_head(out_, response, framing, place.form.keep_alive);
  if (place.form.head_only) {
    place.response.source.reset();
  } else if (framing == Framing::kChunked && !response.body.empty()) {
    append_chunk(out_, response.body);
  } else {
    out_ += response.body;
  }
}

AnswerQueue::Progress AnswerQueue::pull() {
  collect();
  while (streams() && places_.front().begun) {
    const Place& place = places_.front();
    const auto state = pull(place);
    if (state == BodySource::State::kBroken) return Progress::kBroken;
    if (state == BodySource::State::kMore) return Progress::kMore;
    if (state == BodySource::State::kWaiting) return Progress::kWaiting;
    if (place.form.chunks) out_ += kLastChunk;
    places_.pop_front();
    collect();
  }
  return Progress::kWaiting;
}

BodySource::State AnswerQueue::pull(const Place& place) {
  while (unsent().size() < kMaxAhead) {
    std::string part;
    const auto state = place.response.source->read(part, kMaxAhead - unsent().size());
    if (place.form.chunks && !part.empty()) {
      append_chunk(out_, part);
    } else {
      out_ += part;
    }
    if (state != BodySource::State::kMore || part.empty()) return state;
  }
  return BodySource::State::kMore;
}

void AnswerQueue::sent(std::size_t bytes) {
  sent_ += bytes;
  if (sent_ < out_.size()) return;
  out_.clear();
  if (out_.capacity() > kKept) give_back(out_);
  sent_ = 0;
}

std::size_t AnswerQueue::memory() const {
  constexpr std::size_t kUnderWay = 1024;  // of each request, here and where its answer is made
  return out_.capacity() + held_ + places_.size() * kUnderWay;
}

void AnswerQueue::drain() {
  draining_ = true;
  for (const Place& place : places_) {
    if (place.response.source) place.response.source->drain();
  }
}

void AnswerQueue::on_client_end() {
  client_ended_ = true;
  for (const Place& place : places_) {
    if (place.response.source) place.response.source->on_client_end();
  }
}

void AnswerQueue::drop_texts() {
  give_back(out_);
  sent_ = 0;
  for (Place& place : places_) give_back(place.response.body);
}

void AnswerQueue::clear() {
  while (!places_.empty()) places_.pop_front();
  drop_texts();
}

}  // namespace concur
