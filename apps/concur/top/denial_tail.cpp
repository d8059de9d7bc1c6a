#include "top/denial_tail.hpp"

#include "answer_values.hpp"
#include "request.hpp"

#include <utility>

namespace concur::cli {

namespace {

constexpr std::size_t kMaxDenials = 50;
constexpr std::size_t kMaxLine = std::size_t{1024} * 1024;

std::optional<Denial> denial_of(std::string_view line) {
  const auto event = read_object(line);
  if (!event || text_of(*event, "event") != "denied") return std::nullopt;
  const auto at = time_of(*event, "at");
  auto user = text_of(*event, "user");
  auto session = text_of(*event, "session");
  if (!at || !user || !session) return std::nullopt;
  return Denial{*at, std::move(*user), std::move(*session), count_of(*event, "concurrentSessions"),
                count_of(*event, "limit")};
}

}  // namespace

void DenialTail::connect(Client& client) {
  if (stream_ || refused_) return;
  const auto request = request_of(next_);
  auto stream = client.open(request.method, request.target, ClientStream::Body::kNone);
  if (!stream) return;
  rest_.clear();
  stream_ = std::move(*stream);
}

bool DenialTail::advance(std::deque<Denial>& denials) {
  if (!stream_) return false;
  const auto read = stream_->advance(true);
  bool changed = false;
  if (stream_->answered() && stream_->status() == 200) changed = read_lines(denials);
  if (read && !stream_->done() && rest_.size() <= kMaxLine) return changed;
  if (stream_->answered() && stream_->status() == 403) refused_ = true;
  stream_.reset();
  return changed || refused_;
}

bool DenialTail::read_lines(std::deque<Denial>& denials) {
  rest_ += stream_->take_body();
  const std::size_t end = rest_.rfind('\n') + 1;
  if (end == 0) return false;
  bool changed = false;
  std::string_view line;
  for (std::string_view lines = std::string_view(rest_).substr(0, end); !lines.empty();) {
    line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() + 1);
    // Most events are others: only what may be a denial is parsed.
    if (line.find(R"("denied")") == std::string_view::npos) continue;
    auto denial = denial_of(line);
    if (!denial) continue;
    denials.push_front(std::move(*denial));
    if (denials.size() > kMaxDenials) denials.pop_back();
    changed = true;
  }
  if (const auto event = read_object(line); event && event->contains("seq")) {
    next_.since = count_of(*event, "seq");
    next_.boot = text_of(*event, "boot");
  }
  rest_.erase(0, end);
  return changed;
}

}  // namespace concur::cli
