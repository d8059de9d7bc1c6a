#include "api/fleet_json.hpp"

#include <string>
#include <vector>

namespace concur {

namespace {

void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const std::string& text : texts) json.value(std::string_view(text));
  json.end_array();
}

void write_primary(JsonWriter& json, const FleetStatus::Primary& primary) {
  json.begin_object().field("address", primary.address).field("up", primary.up);
  if (!primary.trouble.empty()) json.field("trouble", primary.trouble);
  if (const auto& clock = primary.clock_offset) {
    json.key("clockOffset")
        .begin_object()
        .field("least", clock->least)
        .field("most", clock->most)
        .end_object();
  }
  json.field("shortOfReplicas", primary.short_of_replicas)
      .field("requests", primary.requests)
      .end_object();
}

void write_box(JsonWriter& json, const FleetStatus::Box& box) {
  json.begin_object()
      .field("box", box.label)
      .field("id", box.id)
      .field("version", box.version)
      .field("policy", box.policy)
      .field("seenAt", box.seen_at)
      .field("differs", box.differs)
      .end_object();
}

void write_counts(JsonWriter& json, const FleetCounts& counts) {
  json.key("requests")
      .begin_object()
      .field("answered", counts.requests.answered)
      .field("late", counts.requests.late)
      .field("full", counts.requests.full)
      .field("unavailable", counts.requests.unavailable)
      .end_object();
  json.field("conflicts", counts.conflicts);
  json.key("redirects")
      .begin_object()
      .field("moved", counts.redirects.moved)
      .field("ask", counts.redirects.ask)
      .field("readOnly", counts.redirects.read_only)
      .field("retried", counts.redirects.retried)
      .end_object();
  json.field("reconnects", counts.reconnects);
  json.key("localDecisions")
      .begin_object()
      .field("started", counts.local_decisions.started)
      .field("denied", counts.local_decisions.denied)
      .field("renewed", counts.local_decisions.renewed)
      .field("ended", counts.local_decisions.ended)
      .field("refused", counts.local_decisions.refused)
      .end_object();
  json.field("unacknowledged", counts.unacknowledged).field("reclaimed", counts.reclaimed);
}

void write_finding(JsonWriter& json, const FleetFinding& finding) {
  json.begin_object().field("severity", word_of(finding.severity));
  if (!finding.where.empty()) write_texts(json, "where", finding.where);
  json.field("what", finding.what).field("why", finding.why);
  write_texts(json, "mend", finding.mend);
  json.end_object();
}

void write_server(JsonWriter& json, const FleetServer& server) {
  json.begin_object().field("address", server.address);
  if (!server.role.empty()) json.field("role", server.role);
  if (!server.version.empty()) json.field("version", server.version);
  if (!server.trouble.empty()) json.field("trouble", server.trouble);
  if (!server.unread.empty()) write_texts(json, "unread", server.unread);
  json.end_object();
}

}  // namespace

void write_members(JsonWriter& json, const FleetStatus& fleet) {
  json.field("state", word_of(fleet.state))
      .field("box", fleet.box)
      .field("id", fleet.box_id)
      .field("name", fleet.name)
      .field("policy", fleet.policy)
      .field("ack", fleet.ack)
      .field("unavailable", fleet.unavailable);
  if (!fleet.trouble.empty()) json.field("trouble", fleet.trouble);
  json.key("primaries").begin_array();
  for (const FleetStatus::Primary& primary : fleet.primaries) write_primary(json, primary);
  json.end_array();
  json.key("others").begin_array();
  for (const FleetStatus::Box& box : fleet.others) write_box(json, box);
  json.end_array();
  write_counts(json, fleet.counts);
}

Response to_response(const FleetStatus& fleet) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object();
  write_members(json, fleet);
  json.end_object().end_line();
  return response;
}

Response to_response(const FleetFindings& findings) {
  const bool to_be_mended = !findings.findings.empty() &&
                            findings.findings.front().severity == FleetFinding::Severity::kProblem;
  Response response;
  JsonWriter json(response.body);
  json.begin_object().field("result", to_be_mended ? "mend" : "ok");
  json.key("servers").begin_array();
  for (const FleetServer& server : findings.servers) write_server(json, server);
  json.end_array();
  json.key("findings").begin_array();
  for (const FleetFinding& finding : findings.findings) write_finding(json, finding);
  json.end_array();
  json.end_object().end_line();
  return response;
}

}  // namespace concur
