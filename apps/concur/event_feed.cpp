#include "event_feed.hpp"

#include "answer_values.hpp"
#include "base/text.hpp"
#include "net/connect.hpp"
#include "output.hpp"
#include "request.hpp"

#include <algorithm>
#include <utility>

namespace concur::cli {

namespace {

constexpr Millis kFirstWait{250};
constexpr Millis kMaxWait{10'000};

std::optional<SeenEvent> event_of(std::string_view line) {
  const auto members = read_object(line);
  if (!members || !members->contains("seq")) return std::nullopt;
  auto boot = text_of(*members, "boot");
  auto name = text_of(*members, "event");
  if (!boot || !name) return std::nullopt;
  const auto* user = members->if_contains("user");
  return SeenEvent{{std::move(*boot), count_of(*members, "seq")},
                   std::move(*name),
                   user != nullptr && user->is_string() ? std::string(user->get_string()) : "",
                   std::string(line)};
}

Error not_ours() {
  return {ErrorKind::kCorrupt,
          "cannot watch: the answer is not concurrencyd's, or that of an older one, its lines are "
          "no events with a boot; name the daemon's socket with --socket"};
}

}  // namespace

EventFeed::EventFeed(std::vector<std::string> paths, Watch watch, EventMark from)
    : paths_(std::move(paths)),
      watch_(std::move(watch)),
      last_(std::move(from)),
      pause_(kFirstWait),
      due_(clock_.now().instant) {}

std::optional<Instant> EventFeed::due() const {
  if (stream_) return std::nullopt;
  return due_;
}

void EventFeed::connect() {
  if (stream_ || clock_.now().instant < due_) return;
  const auto once = [](Deadline) { return false; };
  auto connected = connect_to(paths_, std::chrono::steady_clock::now(), Millis(0), once);
  if (!connected) return lose();
  watch_.since = last_.seq;
  watch_.boot = last_.boot;
  const auto request = request_of(watch_);
  begun_ = false;
  stream_.emplace(std::move(*connected), request.method, request.target, ClientStream::Body::kNone);
  static_cast<void>(stream_->advance(false));  // what fails here fails again after a poll
}

Result<std::vector<SeenEvent>> EventFeed::advance() {
  if (!stream_) return std::vector<SeenEvent>();
  const bool over = !stream_->advance(true) || stream_->done();
  Result<std::vector<SeenEvent>> seen = std::vector<SeenEvent>();
  if (stream_->answered() && stream_->status() == 200) {
    if (!std::exchange(begun_, true) && std::exchange(lost_, false)) complain("watching again");
    seen = take_lines();
  } else if (stream_->answered() && stream_->status() < 500) {
    if (over) refusal_ = {stream_->status(), stream_->json(), stream_->take_body()};
  }
  if (over) lose();
  return seen;
}

Result<std::vector<SeenEvent>> EventFeed::take_lines() {
  std::vector<SeenEvent> seen;
  rest_ += stream_->take_body();
  if (!stream_->json() || rest_.size() > kMaxAnswerBody) return not_ours();
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    auto event = event_of(std::string_view(rest_).substr(begin, end - begin));
    if (!event) return not_ours();
    last_ = event->mark;
    seen.push_back(std::move(*event));
  }
  rest_.erase(0, begin);
  if (!seen.empty()) pause_ = kFirstWait;
  return seen;
}

// Those who lost it together come back one after another.
void EventFeed::lose() {
  stream_.reset();
  rest_.clear();
  if (!refusal_ && !std::exchange(lost_, true)) {
    complain("cannot watch: the daemon is gone; waiting until it is back");
  }
  const double share = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  due_ = clock_.now().instant +
         Millis(static_cast<Millis::rep>(static_cast<double>(pause_.count()) * share));
  pause_ = std::min(pause_ * 2, kMaxWait);
}

}  // namespace concur::cli
