#include "service/event_log.hpp"

#include "base/text.hpp"

#include <random>
#include <utility>

namespace concur {

std::string EventLog::random_boot() {
  std::random_device random;
  return text::format("{:08x}{:08x}", random(), random());
}

void EventLog::publish(Event&& event, Instant now) {
  count(event, now);
  if (listener_) listener_(event);
  if (ring_.size() < kMaxHeld) {
    ring_.push_back(std::move(event));
  } else {
    ring_[(next_ - 1) % kMaxHeld] = std::move(event);
  }
  ++next_;
  if (readers_.empty() || waking_) return;
  waking_ = true;
  wake_later_();
}

void EventLog::count(const Event& event, Instant now) {
  const auto provisional = event.more ? event.more->provisional : std::nullopt;
  switch (event.kind) {
    case EventKind::kExpired:
      expiries_.add(now);
      break;
    case EventKind::kEvicted:
      evictions_.add(now);
      break;
    case EventKind::kPurged:
      ++purged_;
      break;
    case EventKind::kStarted:
      if (provisional) ++(*provisional ? overlaps_.let_in : overlaps_.stayed);
      break;
    case EventKind::kDenied:
      if (provisional) ++overlaps_.denied;
      break;
    case EventKind::kRenewed:
    case EventKind::kEnded:
    case EventKind::kLimitChanged:
    case EventKind::kBlocked:
    case EventKind::kUnblocked:
    case EventKind::kWaiting:
    case EventKind::kLeft:
      break;
  }
}

EventFigures EventLog::figures(Instant now) const {
  return {boot_,   next_ - 1, readers_.size(), evictions_.rate(now), expiries_.rate(now),
          purged_, overlaps_};
}

void EventLog::wake_readers() {
  waking_ = false;
  constexpr std::uint64_t kNowAndThen = kMaxHeld / 4;
  const std::uint64_t from = std::exchange(woken_upto_, next_);
  if (from == next_ || readers_.empty()) return;
  if (from / kNowAndThen != next_ / kNowAndThen) {
    for (const auto& [user, reader] : readers_) reader->on_more_();
    return;
  }
  wake_readers_of({});
  if (readers_.count({}) == readers_.size()) return;
  for (std::uint64_t number = from; number < next_; ++number) {
    if (!at(number).user.empty()) wake_readers_of(at(number).user.str());
  }
}

void EventLog::wake_readers_of(const std::string& user) {
  const auto [first, last] = readers_.equal_range(user);
  for (auto reader = first; reader != last; ++reader) reader->second->on_more_();
}

EventLog::Reader::Reader(EventLog& log, std::string user, bool wants_renewals,
                         std::function<void()> on_more)
    : log_(log), wants_renewals_(wants_renewals), on_more_(std::move(on_more)) {
  place_ = log_.readers_.emplace(std::move(user), this);
  if (wants_renewals_) ++log_.renewal_readers_;
}

EventLog::Reader::~Reader() {
  log_.readers_.erase(place_);
  if (wants_renewals_) --log_.renewal_readers_;
}

}  // namespace concur
