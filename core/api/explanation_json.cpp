#include "api/explanation_json.hpp"

#include "api/answer_json.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"
#include "rules/rule.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace concur {

namespace {

void write_names(JsonWriter& json, const std::vector<std::string>& names) {
  json.begin_array();
  for (const std::string& name : names) json.value(std::string_view(name));
  json.end_array();
}

std::string_view word_of(Explanation::Would would) {
  switch (would) {
    case Explanation::Would::kStart:
      return "start";
    case Explanation::Would::kRenew:
      return "renew";
    case Explanation::Would::kDeny:
      return "deny";
    case Explanation::Would::kStartObserved:
      return "start_observed";
    case Explanation::Would::kBlocked:
      return "blocked";
    case Explanation::Would::kWait:
      return "wait";
  }
  return {};
}

void write_explained(JsonWriter& json, const RuleExplained& rule) {
  json.begin_object()
      .field("rule", rule.rule)
      .field("text", rule.text)
      .field("applies", rule.applies)
      .field("max", rule.max)
      .field("onLimit", concur::word_of(rule.on_limit));
  if (rule.applies) {
    json.field("count", rule.count).field("violated", rule.violated).key("by").begin_object();
    for (const auto& [attribute, value] : rule.by) {
      json.key(std::string_view(attribute)).value(value);
    }
    json.end_object().key("sessions");
    write_names(json, rule.sessions);
  }
  json.end_object();
}

// As a sentence.
std::string reason_of(const Explanation& said) {
  const std::string who = text::format("session {} of user {}", said.session, said.user);
  std::string rules;
  for (const RuleExplained& each : said.rules) {
    if (!each.violated) continue;
    rules += rules.empty() ? "" : ", ";
    rules += each.rule == kLimitName ? text::format("the limit of {} is reached", each.max)
             : each.text.starts_with("forbid")
                 ? text::format("rule {} forbids it", each.rule)
                 : text::format("rule {} has {} of {}", each.rule, each.count, each.max);
  }
  switch (said.would) {
    case Explanation::Would::kRenew:
      return text::format("{} is active: a start would renew it.", who);
    case Explanation::Would::kDeny:
      if (said.hold_off) {
        return text::format("{} would be denied: {}, and it may evict nobody for {} s.", who, rules,
                            std::chrono::ceil<std::chrono::seconds>(*said.hold_off).count());
      }
      return text::format("{} would be denied: {}.", who, rules);
    case Explanation::Would::kStartObserved:
      return text::format("{} would be let in for the mode is observe: {}.", who, rules);
    case Explanation::Would::kBlocked:
      return text::format("{} would be denied: an operator keeps the user out.", who);
    case Explanation::Would::kWait:
      return text::format("{} would wait for room, {} at most: {}.", who,
                          format_duration(said.wait), rules);
    case Explanation::Would::kStart:
      break;
  }
  if (said.reconnects) {
    return text::format("{} would start in the place of {}, which is on the same device{}.", who,
                        *said.reconnects,
                        said.overlaps ? ", and which has to make room if there is none" : "");
  }
  if (said.overlaps) {
    return text::format("{} would start for a while, and then stay if there is room: {}.", who,
                        rules);
  }
  if (said.evicts.empty()) return text::format("{} would start: there is room.", who);
  return text::format("{} would start, and {} others would make room.", who, said.evicts.size());
}

}  // namespace

void write_explanation(JsonWriter& json, const Explanation& said) {
  json.field("user", said.user)
      .field("session", said.session)
      .field("would", word_of(said.would))
      .field("message", reason_of(said))
      .field("concurrentSessions", said.active);
  json.field("limit", said.limit);
  if (said.counts) json.field("counts", name_of(*said.counts));
  json.field("from", name_of(said.from)).key("rules").begin_array();
  for (const RuleExplained& each : said.rules) write_explained(json, each);
  json.end_array();
  if (said.reconnects) json.field("reconnects", *said.reconnects);
  if (!said.evicts.empty()) {
    json.key("evicts");
    write_names(json, said.evicts);
  }
  if (said.overlaps) json.field("provisional", true);
  if (said.hold_off) json.field("holdOff", *said.hold_off);
  if (said.degraded) json.field("degraded", true);
}

}  // namespace concur
