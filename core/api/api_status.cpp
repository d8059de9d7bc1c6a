// What the daemon reports of itself: to people, to load balancers and to Prometheus.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/error_response.hpp"
#include "api/fleet_json.hpp"
#include "api/json_writer.hpp"
#include "api/metrics.hpp"
#include "api/openapi.hpp"
#include "session/detail_text.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace concur {

namespace {

std::string_view word_of(Role role) {
  switch (role) {
    case Role::kMetrics:
      return "metrics";
    case Role::kClient:
      return "client";
    case Role::kOperator:
      return "operator";
  }
  return "metrics";
}

void write_rate(JsonWriter& json, std::string_view name, const Rate& rate) {
  json.key(name)
      .begin_object()
      .field("total", rate.total)
      .field("perSecond", rate.per_second)
      .end_object();
}

// A mean, for people: /metrics has the whole distribution.
void write_storage(JsonWriter& json, const DatabaseStatus& database) {
  const Histogram& commits = database.commits.durations;
  json.key("database")
      .begin_object()
      .field("path", database.path)
      .field("bytes", database.bytes)
      .field("walBytes", database.wal_bytes)
      .field("commits", commits.count())
      .field("failedCommits", database.commits.failed)
      .end_object();
  const double all = static_cast<double>(std::max<std::uint64_t>(commits.count(), 1));
  const auto mean =
      std::chrono::duration<double, std::nano>(static_cast<double>(commits.sum()) / all);
  json.key("journal")
      .begin_object()
      .field("waitingChanges", database.waiting_changes)
      .field("meanCommit", std::chrono::round<Millis>(mean))
      .field("meanChanges", static_cast<double>(database.commits.changes.sum()) / all)
      .end_object();
}

void write_work(JsonWriter& json, const std::vector<WorkState>& work) {
  json.key("work").begin_array();
  for (const WorkState& each : work) {
    json.begin_object()
        .field("what", each.what)
        .field("unit", each.unit.empty() ? std::string_view("bytes") : each.unit)
        .field("done", each.done);
    if (each.total > 0) json.field("total", each.total);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

Figures Api::figures() const {
  const Instant now = clock_.now().instant;
  return {service_.status(), commands_.figures(now), events_.figures(now)};
}

void Api::health(const Call&, Respond respond) {
  const std::string& trouble = service_.trouble();
  if (!trouble.empty()) return respond(error_response(503, trouble));
  respond({200, "{\"status\":\"ok\"}\n", "application/json", {}});
}

// The document is the program's: it changes with it, and a client may ask whether it has.
void Api::openapi(const Call& call, Respond respond) {
  static const std::string kTag = text::format("\"{}\"", hash_text(openapi_document()).substr(1));
  const std::string headers = text::format("ETag: {}\r\n", kTag);
  for (const Field& field : call.request.fields) {
    if (field.name == "if-none-match" && field.value == kTag) {
      return respond({304, {}, "application/json", headers});
    }
  }
  respond({200, std::string(openapi_document()), "application/json", headers});
}

void Api::metrics(const Call&, Respond respond) {
  respond({200, metrics_text(figures(), info_, clock_.now(), process_figures()), kMetricsType, {}});
}

void Api::status(const Call& call, Respond respond) {
  const Figures figures = this->figures();
  const ServiceStatus& status = figures.service;
  const Now now = clock_.now();
  const auto uptime = std::chrono::floor<std::chrono::seconds>(now.instant - info_.started);
  Response response;
  JsonWriter json(response.body);
  json.begin_object()
      .field("version", info_.version)
      .field("pid", info_.pid)
      .field("role", word_of(call.request.role))
      .field("health", std::string_view(status.trouble.empty() ? "ok" : "failing"));
  if (!status.trouble.empty()) json.field("trouble", status.trouble);
  json.field("startedAt", now.to_wall(info_.started))
      .field("uptime", uptime.count())
      .field("sessions", status.sessions)
      .field("users", status.users)
      .field("waiting", status.waiting);
  if (status.users_at_limit) json.field("usersAtLimit", *status.users_at_limit);
  if (status.blocks) json.field("blocks", *status.blocks);
  json.field("connections", info_.connections ? info_.connections() : 0)
      .field("limit", status.policy.limit)
      .field("lease", status.policy.lease)
      .field("onLimit", word_of(status.policy.on_limit))
      .field("holdOff", status.policy.hold_off);
  if (status.policy.longest != Millis(0)) json.field("longest", status.policy.longest);
  if (status.policy.overlap != Millis(0)) json.field("overlap", status.policy.overlap);
  json.field("mode",
             std::string_view(status.policy.mode == Mode::kEnforce ? "enforce" : "observe"));
  json.key("rates").begin_object();
  write_rate(json, "starts", figures.commands.starts);
  write_rate(json, "denials", figures.commands.denials);
  write_rate(json, "heartbeats", figures.commands.heartbeats);
  write_rate(json, "ends", figures.commands.ends);
  write_rate(json, "evictions", figures.events.evictions);
  write_rate(json, "expiries", figures.events.expiries);
  json.end_object();
  json.key("events")
      .begin_object()
      .field("boot", figures.events.boot)
      .field("seq", figures.events.published)
      .end_object();
  write_work(json, status.work);
  std::visit([&json](const auto& storage) { write_storage(json, storage); }, status.storage);
  if (status.fleet) {
    json.key("fleet").begin_object();
    write_members(json, *status.fleet);
    json.end_object();
  }
  json.end_object().end_line();
  respond(std::move(response));
}

}  // namespace concur
