// The operators' page, and what it shows that nobody else asks for.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/error_response.hpp"
#include "api/json_writer.hpp"
#include "api/page.hpp"
#include "api/parameters.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

#include <string>
#include <utility>

namespace concur {

namespace {

constexpr Millis kDefaultPast = std::chrono::hours(1);

Result<Millis> past_of(const Target& target) {
  const auto text = target.query("since");
  if (!text || text->empty()) return kDefaultPast;
  const auto past = parse_duration(*text);
  if (past && *past <= History::kLongest) return *past;
  return Error{ErrorKind::kInvalid,
               text::format("cannot accept parameter 'since': it takes a duration such as 1h, up "
                            "to {}",
                            format_duration(History::kLongest))};
}

// To the microsecond: a commit may take less than a millisecond.
std::string exact(double seconds) { return text::format("{:.6f}", seconds); }

void write_sample(JsonWriter& json, const History& history, const History::Sample& sample) {
  json.begin_object()
      .field("at", sample.at)
      .field("seconds", sample.length)
      .field("sessions", sample.sessions)
      .field("users", sample.users);
  if (sample.users_at_limit) json.field("usersAtLimit", *sample.users_at_limit);
  json.field("starts", sample.starts)
      .field("denials", sample.denials)
      .field("evictions", sample.evictions)
      .field("heartbeats", sample.heartbeats);
  if (sample.mean_commit) json.key("meanCommit").raw(exact(*sample.mean_commit));
  if (sample.slow_commit) json.key("slowCommit").raw(exact(*sample.slow_commit));
  if (!sample.by_rule.empty()) {
    json.key("denialsByRule").begin_object();
    for (const auto& [rule, denials] : sample.by_rule) {
      json.key(std::string_view(history.rule(rule))).value(denials);
    }
    json.end_object();
  }
  json.end_object();
}

}  // namespace

void Api::page(const Call& call, Respond respond) {
  // The page itself has no name in its path.
  const std::string_view name = call.names.empty() ? "index.html" : call.names[0];
  const PageFile* const file = find_page_file(name);
  if (file == nullptr) return respond(error_response(404, "cannot find this path"));
  respond(to_response(*file, call.request.fields));
}

Millis Api::sample() {
  const Now now = clock_.now();
  if (history_.is_due(now.instant)) history_.add(figures(), now);
  return history_.due_in(now.instant);
}

void Api::history(const Call& call, Respond respond) {
  const auto past = past_of(call.target);
  if (!past) return respond(to_response(past.error()));
  sample();
  const WallTime first = clock_.now().wall() - *past;
  Response response;
  JsonWriter json(response.body);
  json.begin_object()
      .field("boot", events_.boot())
      .field("step", History::kStep)
      .key("samples")
      .begin_array();
  for (const History::Sample& sample : history_.samples()) {
    if (sample.at > first) write_sample(json, history_, sample);
  }
  json.end_array().end_object().end_line();
  respond(std::move(response));
}

void Api::settings(const Call&, Respond respond) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("settings").begin_array();
  if (info_.settings) {
    for (const SettingInForce& setting : info_.settings()) {
      json.begin_object()
          .field("name", setting.name)
          .field("value", setting.value)
          .field("from", setting.from)
          .end_object();
    }
  }
  json.end_array().end_object().end_line();
  respond(std::move(response));
}

}  // namespace concur
