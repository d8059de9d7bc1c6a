#include "request.hpp"

#include "base/duration.hpp"
#include "base/json_text.hpp"
#include "base/text.hpp"

namespace concur::cli {

namespace {

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// Everything but RFC 3986's unreserved characters goes out as %XX, so that no byte of an id can end
// its segment.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
    }
  }
  return out;
}

std::string sessions_of(std::string_view user) {
  return "/v1/users/" + percent_encoded(user) + "/sessions";
}

std::string target_of(const SessionName& name) {
  return sessions_of(name.user) + "/" + percent_encoded(name.session);
}

std::string limit_of(std::string_view user) {
  return "/v1/users/" + percent_encoded(user) + "/limit";
}

std::string block_of(std::string_view user) {
  return "/v1/users/" + percent_encoded(user) + "/block";
}

std::string target_of_plan(std::string_view plan) { return "/v1/plans/" + percent_encoded(plan); }

std::string seconds(Millis value) {
  const auto [whole, rest] = std::div(value.count(), Millis::rep{1000});
  if (rest == 0) return text::format("{}", whole);
  return text::format("{}.{:03}", whole, rest);
}

// A JSON object of the members that are set; no text at all where none is.
class Object {
 public:
  void add(std::string_view key, std::string_view json) {
    text_ += text::format("{}{}:{}", text_.empty() ? '{' : ',', json_string(key), json);
  }
  void add_text(std::string_view key, const std::optional<std::string>& value) {
    if (value) add(key, json_string(*value));
  }
  void add_seconds(std::string_view key, const std::optional<Millis>& value) {
    if (value) add(key, seconds(*value));
  }
  void add_count(std::string_view key, const std::optional<std::uint32_t>& value) {
    if (value) add(key, text::format("{}", *value));
  }
  void add_on_limit(const std::optional<OnLimit>& value) {
    if (value) add("onLimit", json_string(word_of(*value)));
  }
  void add_pairs(std::string_view key,
                 const std::vector<std::pair<std::string, std::string>>& pairs) {
    Object object;
    for (const auto& [name, value] : pairs) object.add(name, json_string(value));
    if (!pairs.empty()) add(key, object.take());
  }
  std::string take() { return text_.empty() ? text_ : std::move(text_) + '}'; }

 private:
  std::string text_;
};

// A path and what is asked of it.
class Query {
 public:
  explicit Query(std::string path) : target_(std::move(path)) {}
  void add(std::string_view key, std::string_view value) {
    target_ += text::format("{}{}={}", first_ ? '?' : '&', key, percent_encoded(value));
    first_ = false;
  }
  std::string take() { return std::move(target_); }

 private:
  std::string target_;
  bool first_ = true;
};

}  // namespace

namespace {

Object fields_of(const Start& start) {
  Object body;
  body.add_seconds("ttl", start.ttl);
  body.add_count("limit", start.limit);
  body.add_text("device", start.device);
  body.add_text("ip", start.ip);
  body.add_text("content", start.content);
  body.add_pairs("meta", start.meta);
  body.add_on_limit(start.on_limit);
  body.add_text("replace", start.replace);
  if (start.replace_all) body.add("replaceAll", "true");
  body.add_seconds("wait", start.wait);
  return body;
}

// {"tvs":2,"homes":null}
void add_rules(Object& body, const RuleNumbers& rules) {
  if (rules.empty()) return;
  Object numbers;
  for (const auto& [rule, number] : rules) {
    numbers.add(rule, number ? text::format("{}", *number) : "null");
  }
  body.add("rules", numbers.take());
}

}  // namespace

Request request_of(const Start& start) {
  return {"PUT", target_of(start.name), fields_of(start).take(), start.wait.value_or(Millis(0))};
}

Request request_of(const Explain& explain) {
  Object body = fields_of(explain.start);
  if (!explain.start.name.session.empty()) body.add_text("session", explain.start.name.session);
  return {"POST", "/v1/users/" + percent_encoded(explain.start.name.user) + "/explain",
          body.take()};
}

Request request_of(const Heartbeat& heartbeat) {
  Object body;
  body.add_seconds("ttl", heartbeat.ttl);
  body.add_text("start", heartbeat.start);
  return {"POST", target_of(heartbeat.name) + "/heartbeat", body.take()};
}

Request request_of(const End& end) {
  Query query(target_of(end.name));
  if (end.start) query.add("start", *end.start);
  if (end.message) query.add("message", *end.message);
  return {"DELETE", query.take(), {}};
}

Request request_of(const Purge& purge) {
  Object body;
  body.add_text("user", purge.user);
  body.add_seconds("idle", purge.idle);
  body.add_seconds("olderThan", purge.older_than);
  body.add_text("ip", purge.ip);
  body.add_text("device", purge.device);
  body.add_text("content", purge.content);
  body.add_pairs("meta", purge.meta);
  if (purge.all) body.add("all", "true");
  body.add_seconds("block", purge.block);
  body.add_text("message", purge.message);
  if (purge.dry_run) body.add("dryRun", "true");
  return {"POST", "/v1/purge", body.take()};
}

Request request_of(const Report& report) {
  Query query("/v1/report");
  if (report.since) query.add("since", format_duration(*report.since));
  if (report.top) query.add("top", text::format("{}", *report.top));
  if (report.user) query.add("user", *report.user);
  if (report.what_if_limit) query.add("whatIfLimit", text::format("{}", *report.what_if_limit));
  return {"GET", query.take(), {}};
}

Request request_of(const Status& /*status*/) { return {"GET", "/v1/status", {}}; }

Request request_of(const FleetCheck& /*check*/) { return {"GET", "/v1/fleet/check", {}}; }

Request request_of(const FleetShow& /*show*/) { return {"GET", "/v1/fleet", {}}; }

Request request_of(const LimitGet& get) { return {"GET", limit_of(get.user), {}}; }

Request request_of(const LimitSet& set) {
  Object body;
  const auto add_null = [&body](std::string_view key, const auto& patch) {
    if (patch && !*patch) body.add(key, "null");
  };
  body.add_count("limit", set.max.value_or(std::nullopt));
  add_null("limit", set.max);
  body.add_text("plan", set.plan.value_or(std::nullopt));
  add_null("plan", set.plan);
  body.add_on_limit(set.on_limit.value_or(std::nullopt));
  add_null("onLimit", set.on_limit);
  add_rules(body, set.rules);
  return {"PUT", limit_of(set.user), body.take()};
}

Request request_of(const LimitUnset& unset) { return {"DELETE", limit_of(unset.user), {}}; }

Request request_of(const PlanSet& set) {
  Object body;
  body.add_count("limit", set.max);
  body.add_on_limit(set.on_limit);
  add_rules(body, set.rules);
  return {"PUT", target_of_plan(set.plan), body.take()};
}

Request request_of(const PlanUnset& unset) {
  return {"DELETE", target_of_plan(unset.plan) + (unset.force ? "?force=true" : ""), {}};
}

Request request_of(const PlanList& list) {
  return {"GET", list.plan ? target_of_plan(*list.plan) : "/v1/plans", {}};
}

Request request_of(const Block& block) {
  Object body;
  body.add_seconds("for", block.length);
  body.add_text("message", block.message);
  return {"PUT", block_of(block.user), body.take()};
}

Request request_of(const Unblock& unblock) { return {"DELETE", block_of(unblock.user), {}}; }

Request request_of(const Watch& watch) {
  Query query("/v1/events");
  if (watch.user) query.add("user", *watch.user);
  if (watch.since) query.add("since", text::format("{}", *watch.since));
  if (watch.boot) query.add("boot", *watch.boot);
  if (watch.renewed) query.add("renewed", "true");
  return {"GET", query.take(), {}};
}

Request request_of(const Backup& backup) {
  return {"POST", backup.local ? "/v1/backup?local=true" : "/v1/backup", {}};
}

Request request_of(const Batch& /*batch*/) { return {"POST", "/v1/batch", {}}; }

Request request_of(const List& list, std::string_view after) {
  Query query(list.user ? sessions_of(*list.user) : "/v1/sessions");
  if (!list.user) query.add("limit", "1000");
  if (!after.empty()) query.add("after", after);
  return {"GET", query.take(), {}};
}

namespace {

Request page_of(const char* list, std::string_view after) {
  Query query(list);
  query.add("limit", "1000");
  if (!after.empty()) query.add("after", after);
  return {"GET", query.take(), {}};
}

}  // namespace

Request request_of(const LimitList& /*list*/, std::string_view after) {
  return page_of("/v1/limits", after);
}

Request request_of(const BlockList& /*list*/, std::string_view after) {
  return page_of("/v1/blocks", after);
}

}  // namespace concur::cli
