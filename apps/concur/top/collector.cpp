#include "top/collector.hpp"

#include "answer_values.hpp"
#include "ask.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "request.hpp"

#include <utility>

namespace concur::cli {

namespace {

namespace json = boost::json;

constexpr Millis kSharersBack = std::chrono::hours(1);
constexpr std::uint32_t kSharers = 10;
constexpr const char* kForOperators = "they are for operators";

Millis seconds_of(const json::object& members, std::string_view name) {
  return Millis(static_cast<Millis::rep>(number_of(members, name) * 1000));
}

}  // namespace

// The object that a 200 holds.
Result<json::object> Collector::get(const std::string& target) {
  const auto answer = ask(client_, Top::kVerb, {"GET", target, {}});
  if (!answer) return answer.error();
  if (answer->status != 200) {
    return Error{answer->status == 403 ? ErrorKind::kForbidden : ErrorKind::kUnavailable,
                 text::format("the daemon answered {}", answer->status)};
  }
  auto object = read_object(answer->body);
  if (!object) return Error{ErrorKind::kCorrupt, "the answer is no JSON object"};
  return std::move(*object);
}

Result<void> Collector::refresh_status() {
  const auto status = get(request_of(Status{}).target);
  snapshot_.taken = SystemClock().now().wall();
  if (!status) {
    snapshot_.no_answer = printable(status.error().message);
    return status.error();
  }
  take_status(*status);
  return {};
}

Result<void> Collector::refresh() {
  if (auto status = refresh_status(); !status) return status;
  ask_sharers();
  if (!client_.given_up()) denials_.connect(client_);
  return {};
}

bool Collector::read_events() {
  const bool changed = denials_.advance(snapshot_.denials);
  if (denials_.refused()) snapshot_.no_denials = kForOperators;
  return changed;
}

void Collector::take_status(const json::object& status) {
  snapshot_.no_answer.clear();
  snapshot_.known = true;
  snapshot_.version = text_of(status, "version").value_or("");
  snapshot_.health = text_of(status, "health").value_or("");
  if (const auto trouble = text_of(status, "trouble")) snapshot_.health += ": " + *trouble;
  snapshot_.on_limit = text_of(status, "onLimit").value_or("");
  snapshot_.mode = text_of(status, "mode").value_or("");
  snapshot_.uptime = seconds_of(status, "uptime");
  snapshot_.lease = seconds_of(status, "lease");
  snapshot_.limit = count_of(status, "limit");
  snapshot_.sessions = count_of(status, "sessions");
  snapshot_.users = count_of(status, "users");
  snapshot_.connections = count_of(status, "connections");
  if (const auto* database = object_of(status, "database")) {
    snapshot_.database_bytes = count_of(*database, "bytes");
    snapshot_.log_bytes = count_of(*database, "walBytes");
  }
  if (const auto* rates = object_of(status, "rates")) take_rates(*rates);
}

// The daemon counts from its start: after a restart the totals are no continuation, and neither are
// they before the first.
void Collector::take_rates(const json::object& rates) {
  const Time now = std::chrono::steady_clock::now();
  const double passed = std::chrono::duration<double>(now - last_status_).count();
  const bool goes_on = last_uptime_.count() >= 0 && snapshot_.uptime >= last_uptime_;
  for (LiveRate& rate : snapshot_.rates) {
    const auto* answered = object_of(rates, rate.name);
    if (answered == nullptr) continue;
    const std::uint64_t before = std::exchange(rate.total, count_of(*answered, "total"));
    rate.last_minute = number_of(*answered, "perSecond");
    rate.now = goes_on && rate.total >= before && passed > 0
                   ? static_cast<double>(rate.total - before) / passed
                   : rate.last_minute;
  }
  last_status_ = now;
  last_uptime_ = snapshot_.uptime;
}

void Collector::ask_sharers() {
  Report report;
  report.since = kSharersBack;
  report.top = kSharers;
  const auto answer = get(request_of(report).target);
  if (!answer) {
    const bool refused = answer.error().kind == ErrorKind::kForbidden;
    snapshot_.no_sharers = refused ? kForOperators : printable(answer.error().message);
    snapshot_.sharers.clear();
    return;
  }
  snapshot_.no_sharers.clear();
  std::vector<Sharer> sharers;
  const auto usages = usages_of(*answer, "users", "user");
  const auto* users = array_of(*answer, "users");
  for (std::size_t i = 0; usages && i < usages->size(); ++i) {
    sharers.push_back({(*usages)[i]});
    // The name as the daemon sent it: the printable one may be another's.
    const auto& name = (*users)[i].as_object().at("user").as_string();
    if (!client_.given_up()) ask_active(sharers.back(), std::string(name));
  }
  snapshot_.sharers = std::move(sharers);
}

void Collector::ask_active(Sharer& sharer, const std::string& user) {
  const auto limit = get(request_of(LimitGet{user}).target);
  if (!limit) return;
  sharer.active = count_of(*limit, "concurrentSessions");
  sharer.limit = count_of(*limit, "limit");
}

}  // namespace concur::cli
