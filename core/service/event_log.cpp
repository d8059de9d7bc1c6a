#include "service/event_log.hpp"

#include <utility>

namespace concur {

void EventLog::publish(Event event) {
  if (ring_.size() < kMost) {
    ring_.push_back(std::move(event));
  } else {
    ring_[(next_ - 1) % kMost] = std::move(event);
  }
  ++next_;
}

void EventLog::wake_readers() {
  if (std::exchange(woken_upto_, next_) == next_) return;
  for (const Reader* reader : readers_) reader->on_more_();
}

EventLog::Reader::Reader(EventLog& log, bool wants_renewals, std::function<void()> on_more)
    : log_(log), wants_renewals_(wants_renewals), on_more_(std::move(on_more)) {
  place_ = log_.readers_.insert(log_.readers_.end(), this);
  if (wants_renewals_) ++log_.renewal_readers_;
}

EventLog::Reader::~Reader() {
  log_.readers_.erase(place_);
  if (wants_renewals_) --log_.renewal_readers_;
}

}  // namespace concur
