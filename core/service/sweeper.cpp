#include "service/sweeper.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>

namespace concur {

namespace {

constexpr Millis kMaxTick = std::chrono::seconds(1);
constexpr int kRest = 2;  // times as long as the last commit took

}  // namespace

// How long one look at every slot may take. A saved lease must not lag by a third of it, and a look
// can be late.
Millis Sweeper::lap() const {
  return std::clamp<Millis>(registry_.shortest_lease() / 4, Millis(250), std::chrono::seconds(10));
}

Millis Sweeper::tick_length() const { return std::min<Millis>(lap(), kMaxTick); }

void Sweeper::tick() {
  const auto due = static_cast<std::uint64_t>(registry_.slots()) *
                       static_cast<std::uint64_t>(tick_length().count()) /
                       static_cast<std::uint64_t>(lap().count()) +
                   1;
  left_ = std::max(kMinSwept, static_cast<std::uint32_t>(due));
  if (state_ == State::kPosted) return;
  rest_timer_.cancel();
  step();
}

void Sweeper::step() {
  if (host_.waiting_changes() >= kMaxBacklog) {
    state_ = State::kBehind;
    return;
  }
  sweep(kStep);
  if (left_ == 0) {
    state_ = State::kIdle;
    return;
  }
  state_ = State::kPosted;
  boost::asio::post(loop_, [this] {
    if (state_ == State::kPosted) step();
  });
}

void Sweeper::sweep(std::uint32_t slots) {
  const std::uint32_t now = std::min({left_, slots, registry_.slots()});
  registry_.sweep(now, 2 * lap(), host_.look_at_clock());
  left_ = now == registry_.slots() ? 0 : left_ - now;
  host_.decided();
}

void Sweeper::go_on() {
  if (state_ != State::kBehind) return;
  if (host_.waiting_changes() >= kMaxBacklog) {
    // There may never be fewer: as much as is due in the time of a commit, but for one that hung.
    const auto took = std::min<std::chrono::nanoseconds>(host_.commit_took(), lap());
    const auto due = static_cast<std::uint32_t>(registry_.slots() * took / lap());
    sweep(std::clamp(due, kStep, kMinSwept));
    if (left_ == 0) state_ = State::kIdle;
    return;
  }
  state_ = State::kResting;
  rest_timer_.expires_after(kRest * host_.commit_took());
  rest_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && state_ == State::kResting) step();
  });
}

void Sweeper::pause() {
  state_ = State::kIdle;
  left_ = 0;
  rest_timer_.cancel();
}

}  // namespace concur
