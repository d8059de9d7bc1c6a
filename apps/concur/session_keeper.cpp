#include "session_keeper.hpp"

#include "ask.hpp"
#include "base/text.hpp"
#include "output.hpp"
#include "request.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

constexpr Millis kDefaultLease{90'000};
constexpr int kBeatsPerLease = 3;
constexpr Millis kMinInterval{10};
constexpr double kMaxTime = 1e9;  // in seconds
constexpr Millis kMinRetry{100};

// The members of an answer; none where it has none.
json::object members_of(const HttpAnswer& answer) {
  boost::system::error_code code;
  auto value = json::parse(answer.body, code);
  if (code || !value.is_object()) return {};
  return std::move(value.as_object());
}

std::string text_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

bool is_allowed(const HttpAnswer& answer) { return answer.status >= 200 && answer.status < 300; }

// None where the answer names none, or nothing above zero.
std::optional<Millis> time_of(const json::object& members, std::string_view name) {
  const json::value* value = members.if_contains(name);
  boost::system::error_code code;
  const double seconds = value != nullptr ? value->to_number<double>(code) : 0;
  if (code || !(seconds > 0)) return std::nullopt;
  return Millis(static_cast<Millis::rep>(std::min(seconds, kMaxTime) * 1000));
}

}  // namespace

SessionKeeper::SessionKeeper(Client& client, const Start& start)
    : client_(client),
      start_(start),
      interval_(std::max(kMinInterval, start.ttl.value_or(kDefaultLease) / kBeatsPerLease)) {}

Result<HttpAnswer> SessionKeeper::start(const Start& start) {
  const Instant asked = clock_.now().instant;
  auto answer = ask(client_, Start::kVerb, request_of(start));
  client_.disconnect();
  if (answer && is_allowed(*answer)) {
    held(*answer, asked);
  } else if (!answer && client_.sent()) {
    may_exist_ = true;
  }
  return answer;
}

bool SessionKeeper::is_unavailable(const Result<HttpAnswer>& answer) {
  const ExitCode code =
      answer ? exit_code_of(answer->status, false) : exit_code_of(answer.error().kind);
  return code == ExitCode::kNoAnswer;
}

std::string SessionKeeper::cause_of(const Result<HttpAnswer>& answer) {
  if (!answer) return answer.error().message;
  return text::format("the daemon answered {}", answer->status);
}

void SessionKeeper::tick() {
  switch (state_) {
    case State::kHeld:
    case State::kLapsed:
      return beat();
    case State::kNone:
      return start_again();
    case State::kGone:
      return;
  }
}

void SessionKeeper::beat() {
  const Instant asked = clock_.now().instant;
  const auto answer =
      ask(client_, Heartbeat::kVerb, request_of(Heartbeat{start_.name, {}, token_}));
  client_.disconnect();
  if (!answer) return failed(answer);
  if (is_allowed(*answer)) return held(*answer, asked);
  if (answer->status != 404 && answer->status != 410) return failed(answer);
  // What ran out, or was forgotten, while nobody could be asked was not ended by anyone.
  const bool ran_out = answer->status == 404 || text_of(members_of(*answer), "reason") == "expired";
  if (state_ == State::kLapsed && ran_out) return start_again();
  lost(*answer);
}

// The command runs, and must be looked after: it does not wait.
void SessionKeeper::start_again() {
  Start at_once = start_;
  at_once.wait.reset();
  const auto answer = start(at_once);
  if (answer && is_allowed(*answer)) return;
  const bool denied = answer && exit_code_of(answer->status, false) == ExitCode::kDenied;
  if (!denied) return failed(answer);
  // No refusal: the limit may be reached by streams that ended in the outage.
  state_ = State::kNone;
  due_ = clock_.now().instant + jittered(interval_);
  if (!denial_reported_) {
    complain(text::format("cannot start: {} The command goes on without a session",
                          text_of(members_of(*answer), "message")));
  }
  denial_reported_ = true;
}

void SessionKeeper::held(const HttpAnswer& answer, Instant asked) {
  state_ = State::kHeld;
  may_exist_ = true;
  outage_reported_ = false;
  denial_reported_ = false;
  const json::object members = members_of(answer);
  if (auto token = text_of(members, "start"); !token.empty()) token_ = std::move(token);
  if (const auto interval = time_of(members, "heartbeatInterval")) {
    interval_ = std::max(kMinInterval, *interval);
  }
  asked += time_of(members, "waited").value_or(Millis(0));  // it has run since then
  lease_end_ = asked + interval_ * kBeatsPerLease;
  due_ = asked + jittered(interval_);
}

void SessionKeeper::lost(const HttpAnswer& answer) {
  state_ = State::kGone;
  may_exist_ = false;
  const std::string message = text_of(members_of(answer), "message");
  complain(text::format(
      "{}; ending the command",
      message.empty() ? text::format("cannot heartbeat: the daemon answered {}", answer.status)
                      : message));
}

void SessionKeeper::failed(const Result<HttpAnswer>& answer) {
  if (client_.given_up()) return;
  const Instant now = clock_.now().instant;
  if (!outage_reported_) {
    const char* verb = state_ == State::kNone ? Start::kVerb : Heartbeat::kVerb;
    complain(text::format("{}{}; the command goes on, and it is tried again",
                          answer ? text::format("cannot {}: ", verb) : "", cause_of(answer)));
  }
  outage_reported_ = true;
  if (state_ == State::kHeld && now >= lease_end_) state_ = State::kLapsed;
  const Millis pause = state_ == State::kNone ? interval_ : std::max(kMinRetry, interval_ / 10);
  due_ = now + jittered(pause);
}

void SessionKeeper::go_on_without() {
  outage_reported_ = true;
  due_ = clock_.now().instant + jittered(interval_);
}

void SessionKeeper::end() {
  if (!may_exist_) return;
  const auto answer = ask(client_, End::kVerb, request_of(End{start_.name, token_}));
  if ((answer && is_allowed(*answer)) || state_ != State::kHeld) return;
  complain(text::format("{}{}; the session counts until its lease runs out",
                        answer ? "cannot end: " : "", cause_of(answer)));
}

// Never later than the interval, and a fifth of it earlier at most: clients that began together
// drift apart.
Millis SessionKeeper::jittered(Millis interval) {
  const double share = std::uniform_real_distribution<double>(0.8, 1.0)(random_);
  return Millis(static_cast<Millis::rep>(static_cast<double>(interval.count()) * share));
}

}  // namespace concur::cli
