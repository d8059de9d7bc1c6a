#include "api/authorize.hpp"

#include "api/answer_json.hpp"
#include "api/entrance.hpp"
#include "api/error_response.hpp"
#include "api/json_writer.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "rules/address.hpp"
#include "session/detail_text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// A cache must not keep what holds for this moment.
constexpr std::string_view kNoStore = "Cache-Control: no-store\r\n";

// Of each of those that are found, so that together they are within the bound of a start's meta.
constexpr std::size_t kMaxAttributeBytes = 128;

Sources sources_of(std::string_view text) { return std::move(parse_sources(text).value()); }

// Who is asked about is said once, or it is not said.
std::optional<std::string> find_name(const Sources& sources, const SourceText& text) {
  Finding finding = find(sources, text);
  if (finding.repeated) return std::string();
  return std::move(finding.value);
}

// As a start's, where there is any: {"type":"tv","kind":"live"}.
std::string meta_of(const AskedSources& sources, const SourceText& text) {
  const auto attribute = [&text](const Sources& of) {
    const auto value = find(of, text).value;
    return value ? std::string(cut_text(detail_of(*value), kMaxAttributeBytes)) : std::string();
  };
  const std::string type = attribute(sources.type);
  const std::string kind = attribute(sources.kind);
  if (type.empty() && kind.empty()) return {};
  std::string meta;
  JsonWriter json(meta);
  json.begin_object();
  if (!type.empty()) json.field("type", type);
  if (!kind.empty()) json.field("kind", kind);
  json.end_object().end_line();
  meta.pop_back();  // the end of the line
  return meta;
}

Response refusal(int status, std::string_view reason, std::string_view error,
                 std::string_view message) {
  Response response;
  response.status = status;
  response.headers = kNoStore;
  response.headers += kNoSniff;
  if (!reason.empty()) text::append(response.headers, "X-Concur-Reason: {}\r\n", reason);
  JsonWriter(response.body)
      .begin_object()
      .field("error", error)
      .field("message", message)
      .end_object()
      .end_line();
  return response;
}

void append_counts(std::string& headers, std::uint32_t active, std::uint32_t limit) {
  text::append(headers, "X-Concur-Count: {}\r\nX-Concur-Limit: {}\r\n", active, limit);
}

Response answer_of(const Granted& granted, Allowed allowed) {
  Response response = allowed_response(allowed);
  append_counts(response.headers, granted.active, granted.limit);
  append_encoded(response.headers, "X-Concur-Session", granted.session);
  return response;
}

Response answer_of(const Denied& denied, Allowed /*allowed*/) {
  Response response = refusal(403, "limit_reached", "limit_reached", denial_message(denied));
  append_counts(response.headers, denied.active, denied.limit);
  append_encoded(response.headers, "X-Concur-Session", denied.session);
  if (names_a_rule(denied.broken)) {
    text::append(response.headers, "X-Concur-Rule: {}\r\n", denied.broken.front().rule);
  }
  if (denied.retry_after) response.headers += retry_after(*denied.retry_after);
  return response;
}

Response answer_of(const Blocked& blocked, Allowed /*allowed*/) {
  Response response = refusal(403, kBlockedWord, kBlockedWord, blocked_message(blocked));
  append_counts(response.headers, blocked.active, blocked.limit);
  append_encoded(response.headers, "X-Concur-Session", blocked.session);
  if (blocked.retry_after) response.headers += retry_after(*blocked.retry_after);
  return response;
}

Response answer_of(const Throttled& throttled, Allowed /*allowed*/) {
  Response response = refusal(403, error_name(429), error_name(429), throttled_message(throttled));
  text::append(response.headers, "X-Concur-Count: {}\r\n", throttled.active);
  append_encoded(response.headers, "X-Concur-Session", throttled.session);
  response.headers += retry_after(throttled.retry_after);
  return response;
}

Response answer_of(const Gone& gone, Allowed /*allowed*/) {
  Response response = refusal(403, name_of(gone.reason), error_name(410), gone_message(gone));
  append_counts(response.headers, gone.active, gone.limit);
  append_encoded(response.headers, "X-Concur-Session", gone.session);
  return response;
}

Response answer_of(const Refused& refused, Allowed /*allowed*/) {
  return undecided_response(refused.why.message);
}

Response answer_of(const auto& /*other*/, Allowed /*allowed*/) {
  return undecided_response("cannot answer: the service gave no answer of this kind");
}

}  // namespace

AuthorizeConfig::AuthorizeConfig()
    : user(sources_of("param:user header:x-concur-user")),
      session(sources_of("param:session header:x-concur-session cmcd:sid "
                         "header:x-playback-session-id")),
      device(sources_of("param:device header:x-concur-device")),
      ip(sources_of("param:ip header:x-concur-ip")),
      content(sources_of("param:content header:x-concur-content cmcd:cid")),
      type(sources_of("param:type header:x-concur-type")),
      kind(sources_of("param:kind header:x-concur-kind cmcd:st")),
      uri("x-original-uri") {}

std::string detail_of(std::string_view text) {
  if (!is_utf8(text) || has_control(text)) return {};
  return std::string(cut_text(text, kMaxDetailBytes));
}

Asked find_asked(const AskedSources& sources, SourceText text) {
  Asked asked;
  const auto ip = sources.ip.empty() ? std::string(text.ip) : find(sources.ip, text).value;
  if (ip) asked.details.ip = detail_of(bare_address(*ip));
  text.ip = asked.details.ip;
  asked.user = find_name(sources.user, text);
  asked.session = find_name(sources.session, text);
  const auto device = find(sources.device, text).value;
  if (device && is_utf8(*device) && !has_control(*device)) {
    asked.details.device = cut_device(*device);
  }
  const auto content = find(sources.content, text).value;
  if (content) asked.details.content = detail_of(*content);
  asked.details.meta = meta_of(sources, text);
  return asked;
}

std::optional<std::string_view> tail_of(std::string_view target) {
  target.remove_prefix(kAuthorizePath.size());
  if (!target.starts_with('/')) return std::nullopt;
  return target;
}

Asked read_asked(const AuthorizeConfig& config, const Request& request) {
  SourceText text{.header = request.fields};
  if (const auto tail = tail_of(request.target)) {
    text.uri = *tail;
  } else {
    text.query = query_of(request.target);
    for (const Field& field : request.fields) {
      if (field.name != config.uri) continue;
      text.uri = field.value;
      break;
    }
  }
  return find_asked({config.user, config.session, config.device, config.ip, config.content,
                     config.type, config.kind},
                    text);
}

void append_encoded(std::string& headers, std::string_view name, std::string_view value) {
  const auto plain = [](char c) { return c > ' ' && c <= '~' && c != '%'; };
  headers.append(name).append(": ");
  while (!value.empty()) {
    const auto other = std::ranges::find_if_not(value, plain);
    const auto run = static_cast<std::size_t>(other - value.begin());
    headers.append(value.substr(0, run));
    value.remove_prefix(run);
    if (value.empty()) break;
    text::append(headers, "%{:02X}", static_cast<unsigned char>(value.front()));
    value.remove_prefix(1);
  }
  headers += "\r\n";
}

Response allowed_response(Allowed allowed) {
  return {static_cast<int>(allowed), {}, "text/plain; charset=utf-8", std::string(kNoStore)};
}

Response to_authorize_response(const Answer& answer, Allowed allowed) {
  return std::visit([allowed](const auto& a) { return answer_of(a, allowed); }, answer);
}

Response undecided_response(std::string_view message) {
  Response response = refusal(503, {}, error_name(503), message);
  response.headers += kRetrySoon;
  return response;
}

Response no_user_response() {
  return refusal(401, {}, "unauthorized",
                 "cannot say whether this may be watched: it is not known by whom");
}

Response no_session_response() {
  return refusal(403, "no_session", "no_session",
                 "cannot say whether this may be watched: it is not known in which session");
}

}  // namespace concur
