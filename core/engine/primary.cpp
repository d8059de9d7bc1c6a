#include "engine/primary.hpp"

#include "base/text.hpp"

#include <array>
#include <utility>

namespace concur::engine {

namespace {

constexpr Millis kProbeExpiry = std::chrono::minutes(1);

std::string_view or_else(const std::string& text, std::string_view otherwise) {
  return text.empty() ? otherwise : std::string_view(text);
}

}  // namespace

Primary::Primary(Router& router, const Surroundings& surroundings, Counters& counters,
                 Address address, Ack ack)
    : surroundings_(surroundings),
      changes_(router, surroundings, counters, clock_, address, ack),
      others_(router, surroundings, counters, clock_, address, Ack::kPrimary) {}

void Primary::add(RequestPtr request, Instant now) {
  if (breaker_.is_open()) {
    return request->fail(text::format("{} is not asked: {}", to_text(address()), breaker_.cause()));
  }
  if (request->primary != this || !request->is_linked()) {
    request->unlink();
    requests_.push_back(*request);
    request->primary = this;
    request->entered = now;
  }
  Lane& lane = request->is_acknowledged() ? changes_ : others_;
  if (lane.add(request)) return;
  request->fail(text::format("too much is asked of {} already", to_text(address())));
}

void Primary::flush(Instant now) {
  changes_.flush(now);
  others_.flush(now);
}

std::deque<RequestPtr> Primary::take_queued() {
  auto queued = changes_.take_queued();
  for (RequestPtr& request : others_.take_queued()) queued.push_back(std::move(request));
  return queued;
}

bool Primary::is_ready() const {
  return changes_.connection().is_ready() && others_.connection().is_ready();
}

const std::string& Primary::trouble() const {
  if (breaker_.is_open()) return breaker_.cause();
  const std::string& failure = changes_.connection().failure();
  return failure.empty() ? others_.connection().failure() : failure;
}

void Primary::reconnect(const std::string& cause) {
  changes_.connection().drop(cause);
  others_.connection().drop(cause);
}

void Primary::close(const std::string& cause) {
  Requests left;
  left.swap(requests_);
  while (!left.empty()) left.front().fail(cause);
}

// --- time ---

void Primary::check_time(Instant now, const std::string& probe_key) {
  end_overdue(now);
  changes_.check_time();
  others_.check_time();
  check_connections(now);
  if (breaker_.is_trying() && now >= trial_due_) {
    changes_.connection().drop("it takes no changes");
  } else if (breaker_.wants_trial(now) && is_ready() && !probe_key.empty()) {
    make_trial(now, probe_key);
  }
}

void Primary::end_overdue(Instant now) {
  if (!requests_.empty() && now - requests_.front().entered >= surroundings_.patience) {
    open_breaker(std::string(or_else(trouble(), "it does not answer")));
  }
  Requests overdue;
  for (auto at = requests_.begin(); at != requests_.end();) {
    Request& request = *at++;
    if (now < request.deadline) continue;
    request.unlink();
    overdue.push_back(request);
  }
  while (!overdue.empty()) {
    overdue.front().fail(text::format("{} has not answered in time", to_text(address())));
  }
}

// One that cannot be connected to for so long would let down whoever asks next. A connection that
// was lost had been there since the last look.
void Primary::check_connections(Instant now) {
  const std::uint64_t losses = changes_.connection().losses() + others_.connection().losses();
  const bool was_connected = std::exchange(losses_, losses) != losses;
  if (is_ready()) {
    unready_since_.reset();
  } else if (!unready_since_ || was_connected) {
    unready_since_ = now;
  } else if (!breaker_.is_open() && now - *unready_since_ >= surroundings_.patience) {
    open_breaker(std::string(or_else(trouble(), "it cannot be connected to")));
  }
}

// What is lost with the connections has its outcome before.
void Primary::open_breaker(const std::string& cause) {
  breaker_.open(cause);
  close(text::format("{} is not asked: {}", to_text(address()), cause));
  reconnect(cause);
}

// A change, for a primary that is about to be replaced still answers all else.
void Primary::make_trial(Instant now, const std::string& probe_key) {
  breaker_.begin_trial();
  trial_due_ = now + surroundings_.patience;
  const Change change{
      .key = probe_key,
      .guards = {},
      .fields = {{"v", std::string(text::Digits(now.time_since_epoch().count()).view())}},
      .expiry = {Expiry::Kind::kAtLeast, kProbeExpiry}};
  const auto arguments = arguments_of(change);
  Connection& connection = changes_.connection();
  std::vector<std::string_view> words{"EVALSHA", connection.name_of(Script::kChangeDespiteFull),
                                      "1", probe_key};
  words.insert(words.end(), arguments.begin(), arguments.end());
  connection.send(words, [this](Connection::Answer&& answer) { on_trial(std::move(answer)); });
}

void Primary::on_trial(Connection::Answer&& answer) {
  const Instant now = surroundings_.clock.now().instant;
  const bool succeeded = answer && !answer->is_error() && parse_change(*answer);
  breaker_.end_trial(succeeded, now);
  // The scripts are loaded anew with the connection.
  if (answer && answer->is_error() && refusal_of(answer->text) == Refusal::kNoScript) {
    changes_.connection().drop(answer->text);
  }
}

}  // namespace concur::engine
