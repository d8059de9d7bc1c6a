#include "api/answer_json.hpp"

#include "api/error_response.hpp"
#include "api/explanation_json.hpp"
#include "api/json_writer.hpp"
#include "base/text.hpp"

namespace concur {

std::string_view name_of(EndReason reason) {
  switch (reason) {
    case EndReason::kEnded:
      return "ended";
    case EndReason::kExpired:
      return "expired";
    case EndReason::kEvicted:
      return "evicted";
    case EndReason::kPurged:
      return "purged";
    case EndReason::kDenied:
      return "denied";
    case EndReason::kOtherStart:
      return "other_start";
  }
  return "ended";
}

std::string_view name_of(LimitSource from) {
  switch (from) {
    case LimitSource::kUser:
      return "user";
    case LimitSource::kPlan:
      return "plan";
    case LimitSource::kDefault:
      return "default";
  }
  return "default";
}

namespace {

std::string denial_message(std::string_view user, std::uint32_t attempted) {
  std::string text = "User ";
  text.reserve(128);
  text += user;
  text += " is trying to watch ";
  text += text::Digits(attempted).view();
  text += " streams at once, which is too many.";
  return text;
}

}  // namespace

std::string denial_message(const Denied& denied) {
  return denied.message.empty() ? denial_message(denied.user, denied.attempted) : denied.message;
}

std::string blocked_message(const Blocked& blocked) {
  if (!blocked.message.empty()) return blocked.message;
  return text::format("User {} is blocked.", blocked.user);
}

std::string throttled_message(const Throttled& throttled) {
  return text::format(
      "cannot start session {} of user {}: the user starts more than {} sessions a minute",
      throttled.session, throttled.user, throttled.rate);
}

std::string gone_message(const Gone& gone) {
  if (!gone.message.empty()) return gone.message;
  if (gone.reason == EndReason::kOtherStart) {
    return text::format("cannot renew session {} of user {}: it was started again since",
                        gone.session, gone.user);
  }
  return text::format("cannot renew session {} of user {}: it is gone ({})", gone.session,
                      gone.user, name_of(gone.reason));
}

std::string retry_after(Millis wait) {
  return text::format("Retry-After: {}\r\n", std::chrono::ceil<std::chrono::seconds>(wait).count());
}

namespace {

// It is let in above the limit, until then.
void write_grace(JsonWriter& json, const std::optional<WallTime>& ends_at) {
  if (ends_at) json.field("provisional", true).field("graceEndsAt", *ends_at);
}

void write_session(JsonWriter& json, const SessionInfo& session, bool with_user) {
  json.begin_object();
  if (with_user) json.field("user", session.user);
  json.field("session", session.session)
      .field("startedAt", session.started_at)
      .field("lastSeenAt", session.last_seen_at)
      .field("expiresAt", session.expires_at);
  const Details& details = session.details;
  if (!details.device.empty()) json.field("device", details.device);
  if (!details.ip.empty()) json.field("ip", details.ip);
  if (!details.content.empty()) json.field("content", details.content);
  if (!details.meta.empty()) json.key("meta").raw(details.meta);
  write_grace(json, session.grace_ends_at);
  if (!session.box.empty()) json.field("box", session.box);
  json.end_object();
}

void write_sessions(JsonWriter& json, const std::vector<SessionInfo>& sessions, bool with_user) {
  json.key("sessions").begin_array();
  for (const SessionInfo& session : sessions) write_session(json, session, with_user);
  json.end_array();
}

void write_names(JsonWriter& json, std::string_view key, const std::vector<std::string>& names) {
  if (names.empty()) return;
  json.key(key).begin_array();
  for (const std::string& name : names) json.value(std::string_view(name));
  json.end_array();
}

void write_eviction(JsonWriter& json, const std::optional<Eviction>& eviction) {
  if (!eviction) return;
  json.key("evictedBy").begin_object().field("session", eviction->by.session);
  if (!eviction->by.device.empty()) json.field("device", eviction->by.device);
  json.field("at", eviction->at).end_object();
}

void write_waited(JsonWriter& json, const std::optional<Millis>& waited) {
  if (waited) json.field("waited", *waited);
}

void write_degraded(JsonWriter& json, bool degraded) {
  if (degraded) json.field("degraded", true);
}

// A limit, and what it counts where that is not sessions.
void write_limit(JsonWriter& json, std::uint32_t limit,
                 const std::optional<Attribute::Kind>& counts) {
  json.field("limit", limit);
  if (counts) json.field("counts", concur::name_of(*counts));
}

void write_numbers(JsonWriter& json, const RuleNumbers& numbers) {
  if (numbers.empty()) return;
  json.key("rules").begin_object();
  for (const auto& [rule, number] : numbers.all()) {
    json.key(std::string_view(rule)).value(number);
  }
  json.end_object();
}

void write_broken(JsonWriter& json, const std::vector<Broken>& broken) {
  if (!names_a_rule(broken)) return;
  json.field("rule", broken.front().rule).key("violations").begin_array();
  for (const Broken& each : broken) {
    json.begin_object()
        .field("rule", each.rule)
        .field("max", each.max)
        .field("count", each.count)
        .key("by")
        .begin_object();
    for (const auto& [attribute, value] : each.by) {
      json.key(std::string_view(attribute)).value(value);
    }
    json.end_object().end_object();
  }
  json.end_array();
}

int write(JsonWriter& json, const Granted& granted) {
  json.field("user", granted.user)
      .field("session", granted.session)
      .field("start", StartTokenText(granted.start).view())
      .field("concurrentSessions", granted.active)
      .field("limit", granted.limit);
  if (granted.counts) json.field("counts", name_of(*granted.counts));
  json.field("expiresAt", granted.expires_at)
      .field("heartbeatInterval", granted.heartbeat_interval);
  write_grace(json, granted.grace_ends_at);
  if (granted.would_deny) json.field("wouldDeny", true);
  write_broken(json, granted.broken);
  write_names(json, "evicted", granted.evicted);
  write_names(json, "wouldEvict", granted.would_evict);
  write_waited(json, granted.waited);
  write_degraded(json, granted.degraded);
  return granted.renewed ? 200 : 201;
}

int write(JsonWriter& json, const Denied& denied) {
  json.field("error", std::string_view("limit_reached"))
      .field("message", denial_message(denied))
      .field("user", denied.user)
      .field("session", denied.session)
      .field("concurrentSessions", denied.active);
  write_limit(json, denied.limit, denied.counts);
  if (denied.retry_after) json.field("retryAfter", *denied.retry_after);
  write_broken(json, denied.broken);
  if (denied.hold_off) json.field("holdOff", *denied.hold_off);
  write_waited(json, denied.waited);
  write_degraded(json, denied.degraded);
  write_sessions(json, denied.sessions, false);
  return 409;
}

int write(JsonWriter& json, const Explanation& said) {
  write_explanation(json, said);
  return 200;
}

int write(JsonWriter& json, const Blocked& blocked) {
  json.field("error", kBlockedWord)
      .field("message", blocked_message(blocked))
      .field("user", blocked.user)
      .field("session", blocked.session)
      .field("concurrentSessions", blocked.active)
      .field("limit", blocked.limit);
  if (blocked.retry_after) json.field("retryAfter", *blocked.retry_after);
  write_degraded(json, blocked.degraded);
  return 409;
}

int write(JsonWriter& json, const Throttled& throttled) {
  json.field("error", error_name(429))
      .field("message", throttled_message(throttled))
      .field("user", throttled.user)
      .field("session", throttled.session)
      .field("retryAfter", throttled.retry_after);
  write_degraded(json, throttled.degraded);
  return 429;
}

int write(JsonWriter& json, const Gone& gone) {
  json.field("error", std::string_view("session_gone"))
      .field("reason", name_of(gone.reason))
      .field("message", gone_message(gone))
      .field("user", gone.user)
      .field("session", gone.session);
  write_eviction(json, gone.eviction);
  write_degraded(json, gone.degraded);
  return 410;
}

int write(JsonWriter& json, const Unknown& unknown) {
  json.field("error", std::string_view("not_found"))
      .field("message", text::format("cannot renew session {} of user {}: there is no such session",
                                     unknown.session, unknown.user))
      .field("user", unknown.user)
      .field("session", unknown.session);
  write_degraded(json, unknown.degraded);
  return 404;
}

int write(JsonWriter& json, const Ended& ended) {
  json.field("user", ended.user)
      .field("session", ended.session)
      .field("ended", ended.ended)
      .field("concurrentSessions", ended.active);
  if (ended.reason) json.field("reason", name_of(*ended.reason));
  if (!ended.message.empty()) json.field("message", ended.message);
  write_eviction(json, ended.eviction);
  write_degraded(json, ended.degraded);
  return 200;
}

int write(JsonWriter& json, const UserSessions& list) {
  json.field("user", list.user).field("concurrentSessions", list.active);
  write_limit(json, list.limit, list.counts);
  if (list.blocked) json.field("blocked", true);
  write_sessions(json, list.sessions, false);
  if (!list.next.empty()) json.field("next", list.next.text());
  return 200;
}

int write(JsonWriter& json, const Page& page) {
  write_sessions(json, page.sessions, true);
  if (!page.next.empty()) json.field("next", page.next.text());
  return 200;
}

int write(JsonWriter& json, const Purged& purged) {
  json.key(std::string_view(purged.dry_run ? "wouldPurge" : "purged")).value(purged.count);
  if (purged.dry_run) json.field("users", purged.users);
  if (purged.blocked) json.field("blocked", *purged.blocked);
  return 200;
}

// How many sessions there are too many; where something else is counted that is not known here.
std::uint32_t excess_of(const UserLimit& limit) {
  const bool is_above = !limit.counts && limit.limit != kUnlimited && limit.active > limit.limit;
  return is_above ? limit.active - limit.limit : 0;
}

void write_limit(JsonWriter& json, const UserLimit& limit) {
  json.field("user", limit.user);
  write_limit(json, limit.limit, limit.counts);
  json.field("from", name_of(limit.from));
  if (!limit.plan.empty()) json.field("plan", limit.plan);
  json.field("onLimit", word_of(limit.on_limit));
  write_numbers(json, limit.rules);
  json.field("concurrentSessions", limit.active);
  if (excess_of(limit) > 0) json.field("excess", excess_of(limit));
}

int write(JsonWriter& json, const UserLimit& limit) {
  write_limit(json, limit);
  if (excess_of(limit) > 0) {
    json.field("message",
               text::format(
                   "User {} watches {} streams; they go on, and new ones are refused until "
                   "{} active.",
                   limit.user, limit.active,
                   limit.limit == 1 ? "none is" : text::format("fewer than {} are", limit.limit)));
  }
  return 200;
}

int write(JsonWriter& json, const LimitPage& page) {
  json.key("limits").begin_array();
  for (const UserLimit& limit : page.limits) {
    json.begin_object();
    write_limit(json, limit);
    json.end_object();
  }
  json.end_array();
  if (!page.next.empty()) json.field("next", page.next.text());
  return 200;
}

int write(JsonWriter& json, const PlanInfo& plan) {
  json.field("plan", plan.plan).field("limit", plan.limit);
  if (plan.on_limit) json.field("onLimit", word_of(*plan.on_limit));
  write_numbers(json, plan.rules);
  json.field("users", plan.users);
  if (plan.users_above > 0) json.field("usersAbove", plan.users_above);
  return 200;
}

int write(JsonWriter& json, const PlanList& list) {
  json.key("plans").begin_array();
  for (const PlanInfo& plan : list.plans) {
    json.begin_object();
    write(json, plan);
    json.end_object();
  }
  json.end_array();
  return 200;
}

int write(JsonWriter& json, const PlanRemoved& removed) {
  json.field("plan", removed.plan).field("removed", removed.removed).field("users", removed.users);
  return 200;
}

void write_block(JsonWriter& json, const UserBlock& block) {
  json.field("user", block.user).field("blocked", block.blocked);
  if (!block.blocked) return;
  json.field("since", block.since);
  if (block.until) json.field("until", *block.until);
  if (!block.message.empty()) json.field("message", block.message);
}

int write(JsonWriter& json, const UserBlock& block) {
  write_block(json, block);
  return 200;
}

int write(JsonWriter& json, const BlockPage& page) {
  json.key("blocks").begin_array();
  for (const UserBlock& block : page.blocks) {
    json.begin_object();
    write_block(json, block);
    json.end_object();
  }
  json.end_array();
  if (!page.next.empty()) json.field("next", page.next.text());
  return 200;
}

int write(JsonWriter& json, const Refused& refused) {
  const int status = status_of(refused.why.kind);
  json.field("error", error_name(status)).field("message", refused.why.message);
  return status;
}

Response first_text(int status, std::string text) {
  return {status, std::move(text), "text/plain; charset=utf-8", {}};
}

// Viewers are shown what it says.
bool is_for_viewers(const Answer& answer) {
  return std::holds_alternative<Denied>(answer) || std::holds_alternative<Blocked>(answer) ||
         std::holds_alternative<Gone>(answer);
}

Response first_count(const std::string& user, std::uint32_t active) {
  Response response;
  JsonWriter(response.body)
      .begin_object()
      .field("user", user)
      .field("concurrentSessions", active)
      .end_object();
  return response;
}

}  // namespace

Response to_response(const Answer& answer) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object();
  response.status = std::visit([&json](const auto& a) { return write(json, a); }, answer);
  json.end_object().end_line();
  if (const auto* throttled = std::get_if<Throttled>(&answer)) {
    response.headers = retry_after(throttled->retry_after);
  } else if (response.status == 503) {
    response.headers = kRetrySoon;
  } else if (is_for_viewers(answer)) {
    response.headers = kNoSniff;
  }
  return response;
}

Response to_response(const Error& error) { return error_response(error); }

Response to_first_response(const Answer& answer) {
  if (const auto* granted = std::get_if<Granted>(&answer)) {
    return first_count(granted->user, granted->active);
  }
  if (const auto* ended = std::get_if<Ended>(&answer))
    return first_count(ended->user, ended->active);
  if (const auto* denied = std::get_if<Denied>(&answer)) {
    return first_text(400, denial_message(denied->user, denied->attempted));
  }
  if (const auto* blocked = std::get_if<Blocked>(&answer)) {
    return first_text(400, denial_message(blocked->user, blocked->active + 1));
  }
  if (const auto* throttled = std::get_if<Throttled>(&answer)) {
    // That API knows one way to refuse, and its clients may take any other for an outage.
    Response response = first_text(400, denial_message(throttled->user, throttled->active + 1));
    response.headers = retry_after(throttled->retry_after);
    return response;
  }
  if (const auto* refused = std::get_if<Refused>(&answer)) return to_first_response(refused->why);
  return first_text(500, "cannot answer: the service gave no answer of this kind");
}

Response to_first_response(const Error& error) {
  Response response = first_text(status_of(error.kind), error.message);
  if (response.status == 503) response.headers = kRetrySoon;
  return response;
}

}  // namespace concur
