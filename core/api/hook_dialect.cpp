#include "api/hook_dialect.hpp"

#include "api/answer_json.hpp"
#include "api/authorize.hpp"
#include "api/error_response.hpp"
#include "api/json_writer.hpp"
#include "base/text.hpp"
#include "session/detail_text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

constexpr Millis kWithoutSigns = std::chrono::minutes(10);

std::string path_of_stream(std::string_view app, std::string_view stream) {
  return app.empty() ? std::string(stream) : text::format("{}/{}", app, stream);
}

int status_of(HookOutcome::Kind kind) {
  switch (kind) {
    case HookOutcome::Kind::kAllowed:
    case HookOutcome::Kind::kDone:
    case HookOutcome::Kind::kPassed:
      return 200;
    case HookOutcome::Kind::kDenied:
      return 403;
    case HookOutcome::Kind::kUnknownUser:
      return 401;
    case HookOutcome::Kind::kUndecided:
      break;
  }
  return 503;
}

Response plain_answer(const HookOutcome& outcome) {
  const int status = status_of(outcome.kind);
  std::string body = outcome.message;
  if (!body.empty()) body += '\n';
  return {status, std::move(body), "text/plain; charset=utf-8",
          std::string(status == 503   ? kRetrySoon
                      : status == 200 ? std::string_view()
                                      : kNoSniff)};
}

// --- SRS: srs_app_http_hooks.cpp ---

HookEvent read_srs(const HookFields& fields, std::string_view /*form*/, std::string_view /*also*/) {
  HookEvent event;
  const std::string_view action = fields["action"];
  if (action == "on_play") event.verb = HookEvent::Verb::kPlay;
  if (action == "on_stop") event.verb = HookEvent::Verb::kEnd;
  event.session = fields["client_id"];
  event.ip = fields["ip"];
  event.content = path_of_stream(fields["app"], fields["stream"]);
  const std::string_view query = fields["param"];
  event.uri = text::format("/{}{}{}", event.content, query.starts_with('?') ? "" : "?", query);
  return event;
}

// A body of code 0 allows; anything else refuses.
Response answer_srs(const HookOutcome& outcome) {
  Response response;
  response.status = status_of(outcome.kind);
  if (response.status == 503) response.headers = kRetrySoon;
  if (response.status == 403) response.headers = kNoSniff;
  JsonWriter json(response.body);
  json.begin_object().field("code", response.status == 200 ? 0 : response.status);
  if (!outcome.message.empty()) json.field("msg", outcome.message);
  json.end_object();
  return response;
}

// --- nginx-rtmp: ngx_rtmp_notify_module.c, ngx_rtmp_netcall_module.c ---

// It numbers connections, and one may play several streams. It asks for the streams that it pulls
// by itself, too.
HookEvent read_nginx_rtmp(const HookFields& fields, std::string_view form,
                          std::string_view /*also*/) {
  HookEvent event;
  const bool relays = fields["flashver"] == "ngx-local-relay" || fields["addr"] == "unix:";
  const std::string_view call = fields["call"];
  if (call == "play" && !relays) event.verb = HookEvent::Verb::kPlay;
  if (call == "update_play" && !relays) event.verb = HookEvent::Verb::kUpdate;
  if ((call == "play_done" || call == "done") && !relays) event.verb = HookEvent::Verb::kEnd;
  const std::string_view client = fields["clientid"];
  if (!client.empty()) event.session = text::format("{}-{}", client, fields["name"]);
  event.ip = fields["addr"];
  event.content = path_of_stream(fields["app"], fields["name"]);
  event.uri = text::format("/{}?{}", event.content, form);
  return event;
}

// --- Flussonic: its authorization backends ---

HookEvent read_flussonic(const HookFields& fields, std::string_view form,
                         std::string_view /*also*/) {
  HookEvent event;
  event.verb = fields["request_type"] == "update_session" ? HookEvent::Verb::kUpdate
                                                          : HookEvent::Verb::kPlay;
  event.session = fields["session_id"];
  event.ip = fields["ip"];
  event.content = fields["name"];
  event.uri = text::format("/{}?{}", event.content, form);
  return event;
}

// It asks again after X-AuthDuration, in seconds, and keeps a denial for so long, too; it takes no
// 401 for one.
Response answer_flussonic(const HookOutcome& outcome) {
  constexpr std::chrono::seconds kDenied(10);
  Response response = plain_answer(outcome);
  if (outcome.kind == HookOutcome::Kind::kUnknownUser) response.status = 403;
  if (response.status == 403) {
    text::append(response.headers, "X-AuthDuration: {}\r\n", kDenied.count());
  } else if (outcome.ask_again) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*outcome.ask_again);
    text::append(response.headers, "X-AuthDuration: {}\r\n",
                 std::max<std::int64_t>(seconds.count(), 1));
    append_encoded(response.headers, "X-UserId", outcome.user);
  }
  return response;
}

// --- MediaMTX: internal/auth/manager.go ---

// Whoever publishes, or controls the server, is not for us to know. Of RTSP it asks twice, by two
// ids: the second one takes the place of the first, as a reconnect of the same device does.
HookEvent read_mediamtx(const HookFields& fields, std::string_view /*form*/,
                        std::string_view also) {
  HookEvent event;
  const std::string_view action = fields["action"];
  event.session = fields["id"];
  event.ip = fields["ip"];
  event.content = fields["path"];
  event.uri = text::format("/{}?{}", event.content, fields["query"]);
  const bool watches = action == "read" || action == "playback";
  if (!watches) {
    event.verb = lists(also, ',', action) ? HookEvent::Verb::kPass : HookEvent::Verb::kRefuse;
  } else if (!event.session.empty()) {
    event.verb = HookEvent::Verb::kPlay;
  }
  if (fields["protocol"].starts_with("rtsp")) {
    event.device = hash_text(text::format("{} {}", event.ip, event.content));
  }
  return event;
}

Response answer_mediamtx(const HookOutcome& outcome) {
  if (status_of(outcome.kind) != 200) return plain_answer(outcome);
  return {204, {}, "text/plain; charset=utf-8", {}};
}

// --- the table ---

constexpr std::string_view kNginxRtmp =
    "app flashver swfurl tcurl pageurl addr clientid call name start duration reset time timestamp";
constexpr std::string_view kFlussonic =
    "name proto ip request_type request_number session_id stream_clients total_clients token "
    "duration referer user_agent host uri media_request qs dvr";

constexpr HookDialect kDialects[] = {
    {"srs", HookDialect::Format::kJson, {}, kWithoutSigns, read_srs, answer_srs},
    {"nginx-rtmp", HookDialect::Format::kForm, kNginxRtmp, std::nullopt, read_nginx_rtmp,
     plain_answer},
    {"flussonic", HookDialect::Format::kForm, kFlussonic, std::nullopt, read_flussonic,
     answer_flussonic},
    {"mediamtx", HookDialect::Format::kJson, {}, kWithoutSigns, read_mediamtx, answer_mediamtx},
};

HookOutcome outcome_of_answer(const Granted& granted) {
  return {HookOutcome::Kind::kAllowed, {}, granted.user, granted.heartbeat_interval};
}
HookOutcome outcome_of_answer(const Ended& /*ended*/) { return {HookOutcome::Kind::kDone}; }
HookOutcome outcome_of_answer(const Denied& denied) {
  return {HookOutcome::Kind::kDenied, denial_message(denied)};
}
HookOutcome outcome_of_answer(const Blocked& blocked) {
  return {HookOutcome::Kind::kDenied, blocked_message(blocked)};
}
HookOutcome outcome_of_answer(const Throttled& throttled) {
  return {HookOutcome::Kind::kDenied, throttled_message(throttled)};
}
HookOutcome outcome_of_answer(const Gone& gone) {
  return {HookOutcome::Kind::kDenied, gone_message(gone)};
}
HookOutcome outcome_of_answer(const Refused& refused) {
  return {HookOutcome::Kind::kUndecided, refused.why.message};
}
HookOutcome outcome_of_answer(const auto& /*other*/) {
  return {HookOutcome::Kind::kUndecided, "cannot answer: the service gave no answer of this kind"};
}

}  // namespace

bool lists(std::string_view words, char separator, std::string_view word) {
  while (!words.empty()) {
    const std::string_view next = words.substr(0, words.find(separator));
    if (next == word) return true;
    words.remove_prefix(std::min(next.size() + 1, words.size()));
  }
  return false;
}

std::string_view HookFields::operator[](std::string_view name) const {
  const auto found = std::ranges::find(fields_, name, &Field::name);
  return found == fields_.end() ? std::string_view() : found->value;
}

HookOutcome outcome_of(const Result<Answer>& answer) {
  if (!answer) return {HookOutcome::Kind::kUndecided, answer.error().message};
  return std::visit([](const auto& a) { return outcome_of_answer(a); }, *answer);
}

std::span<const HookDialect> hook_dialects() { return kDialects; }

const HookDialect* find_hook_dialect(std::string_view name) {
  const auto* found = std::ranges::find(kDialects, name, &HookDialect::name);
  return found == std::end(kDialects) ? nullptr : found;
}

}  // namespace concur
