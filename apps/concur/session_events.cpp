#include "session_events.hpp"

#include "answer_values.hpp"
#include "net/connect.hpp"
#include "request.hpp"

#include <algorithm>
#include <utility>

namespace concur::cli {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Millis kFirstPause{500};
constexpr Millis kMaxPause{30'000};
constexpr std::size_t kMaxLine = std::size_t{64} * 1024;

// As it is; empty where there is no such text.
std::string_view member(const boost::json::object& members, std::string_view name) {
  const auto* value = members.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

}  // namespace

SessionEvents::SessionEvents(std::vector<std::string> paths, SessionName name)
    : paths_(std::move(paths)),
      name_(std::move(name)),
      pause_(kFirstPause),
      due_(clock_.now().instant) {}

std::optional<Instant> SessionEvents::due() const {
  if (state_ != State::kNotConnected) return std::nullopt;
  return due_;
}

void SessionEvents::connect() {
  if (state_ != State::kNotConnected || clock_.now().instant < due_) return;
  const auto once = [](Deadline) { return false; };
  auto connected = connect_to(paths_, SteadyClock::now(), Millis(0), once);
  if (!connected) return lose();
  const auto request = request_of(Watch{.user = name_.user});
  stream_.emplace(std::move(*connected), request.method, request.target, ClientStream::Body::kNone);
  static_cast<void>(stream_->advance(false));  // what fails here fails again after a poll
  state_ = State::kAsked;
}

bool SessionEvents::advance() {
  if (!stream_) return false;
  const bool over = !stream_->advance(true) || stream_->done();
  bool worth_asking = false;
  if (state_ == State::kAsked && stream_->answered()) {
    if (stream_->status() == 200) {
      state_ = State::kFollowing;
      following_since_ = clock_.now().instant;
      worth_asking = !first_;
    } else if (stream_->status() < 500) {
      state_ = State::kNotPermitted;
      stream_.reset();
      return false;
    }
  }
  if (state_ == State::kFollowing) worth_asking |= take_lines();
  if (over) lose();
  return worth_asking;
}

// Whether one of them is worth asking for.
bool SessionEvents::take_lines() {
  rest_ += stream_->take_body();
  bool found = false;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    found |= concerns_session(std::string_view(rest_).substr(begin, end - begin));
  }
  rest_.erase(0, begin);
  if (rest_.size() > kMaxLine) rest_.clear();
  return found;
}

// Whatever its name: what is not known here may be another way for a session to end.
bool SessionEvents::concerns_session(std::string_view line) const {
  const auto event = read_object(line);
  if (!event) return false;
  const std::string_view name = member(*event, "event");
  if (name == "started" || name == "renewed" || name == "waiting") return false;
  return name == "dropped" || member(*event, "session") == name_.session;
}

// Those who lost it together come back one after another. A daemon that takes connections and ends
// them soon is asked less and less.
void SessionEvents::lose() {
  const bool lasted =
      state_ == State::kFollowing && clock_.now().instant - following_since_ >= kMaxPause;
  if (lasted) pause_ = kFirstPause;
  stream_.reset();
  rest_.clear();
  state_ = State::kNotConnected;
  first_ = false;
  const double share = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  due_ = clock_.now().instant +
         Millis(static_cast<Millis::rep>(static_cast<double>(pause_.count()) * share));
  pause_ = std::min(pause_ * 2, kMaxPause);
}

}  // namespace concur::cli
