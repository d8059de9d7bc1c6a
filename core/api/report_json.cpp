#include "api/report_json.hpp"

#include "api/json_writer.hpp"

#include <map>
#include <string>

namespace concur {

namespace {

void write_figures(JsonWriter& json, const UsageReport& usage) {
  json.field("starts", usage.starts)
      .field("denials", usage.denials)
      .field("evictions", usage.evictions)
      .field("peak", usage.peak)
      .field("attemptedPeak", usage.attempted)
      .field("devices", usage.devices)
      .field("addresses", usage.addresses)
      .field("conflicts", usage.conflicts)
      .field("score", usage.score);
}

void write_levels(JsonWriter& json, std::string_view name,
                  const std::map<std::uint64_t, std::uint64_t>& levels) {
  json.key(name).begin_object();
  for (const auto& [level, users] : levels)
    json.key(std::string_view(std::to_string(level))).value(users);
  json.end_object();
}

void write_rules(JsonWriter& json, const std::map<std::string, std::uint64_t>& by_rule) {
  if (by_rule.empty()) return;
  json.key("denialsByRule").begin_object();
  for (const auto& [rule, denials] : by_rule) json.key(std::string_view(rule)).value(denials);
  json.end_object();
}

void write_users(JsonWriter& json, const Report& report) {
  json.key("users").begin_array();
  for (const UsageReport& user : report.users) {
    json.begin_object().field("user", user.user);
    write_figures(json, user);
    write_rules(json, user.by_rule);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

Response to_response(const ReportQuery& query, const Report& report) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().field("since", report.since);
  write_users(json, report);
  if (query.user) {
    json.key("hours").begin_array();
    for (const UsageReport& hour : report.hours) {
      json.begin_object().field("hour", WallTime(std::chrono::hours(hour.hour)));
      write_figures(json, hour);
      json.end_object();
    }
    json.end_array();
  } else {
    json.key("histogram").begin_object();
    write_levels(json, "peak", report.reached);
    write_levels(json, "attempted", report.attempted);
    json.end_object();
  }
  if (!query.user) write_rules(json, report.by_rule);
  if (query.what_if_limit && !query.user) {
    json.key("whatIf")
        .begin_object()
        .field("limit", *query.what_if_limit)
        .field("usersRefused", report.would_be_refused)
        .end_object();
  }
  json.end_object().end_line();
  return response;
}

}  // namespace concur
