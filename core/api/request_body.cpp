#include "api/request_body.hpp"

#include "api/body_fields.hpp"
#include "base/text.hpp"
#include "rules/rule.hpp"
#include "session/id.hpp"
#include "session/policy.hpp"

#include <boost/json/monotonic_resource.hpp>

#include <utility>

namespace concur {

namespace {

using namespace body;

// Null takes away what is set.
template <class T>
Result<void> keep_or_clear(const json::value& value, Result<T> (*read)(const json::value&),
                           Patch<T>& into) {
  if (value.is_null()) {
    into.emplace();
    return {};
  }
  return keep(read(value), into);
}

// Numbers for rules, by their names: {"tvs":2,"homes":null}.
Result<void> read_rules(const json::value& value, RulePatch& into) {
  const Error bad = bad_field("rules", "an object of rules' names and whole numbers, or null");
  const json::object* object = value.if_object();
  if (object == nullptr || object->empty()) return bad;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    if (!is_rule_name(name)) return bad;
    std::optional<std::uint32_t> number;
    if (!member.value().is_null()) {
      const auto read = read_limit(member.value());
      if (!read) return bad;
      number = *read;
    }
    into.emplace_back(std::string(name), number);
  }
  return {};
}

Result<void> read_rule_field(std::string_view name, const json::value& value, RuleBody& into) {
  if (name == "limit") return keep_or_clear(value, read_limit, into.limit);
  if (name == "onLimit") return keep_or_clear(value, read_on_limit, into.on_limit);
  if (name == "rules") return read_rules(value, into.rules);
  if (name != "plan") return unknown_field(name);
  return keep_or_clear<std::string>(
      value, [](const json::value& plan) { return read_name("plan", plan); }, into.plan);
}

}  // namespace

Result<StartBody> parse_start_body(std::string_view body) {
  StartBody parsed;
  if (body.empty()) return parsed;
  auto value = parse(body);
  if (!value) return value.error();
  if (is_nothing(*value, true)) return parsed;
  const auto object = object_of(std::move(*value));
  if (!object) return object.error();
  for (const auto& member : *object) {
    if (const auto read = read_start_field(view(member.key()), member.value(), parsed); !read) {
      return read.error();
    }
  }
  return parsed;
}

Result<ExplainBody> parse_explain_body(std::string_view body) {
  ExplainBody parsed;
  if (body.empty()) return parsed;
  const auto object = parse_object(body);
  if (!object) return object.error();
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    const auto read = name == "session" ? keep(read_name(name, member.value()), parsed.session)
                                        : read_start_field(name, member.value(), parsed.start);
    if (!read) return read.error();
  }
  return parsed;
}

Result<HeartbeatBody> parse_heartbeat_body(std::string_view body) {
  if (body.empty()) return HeartbeatBody();
  unsigned char room[1024];
  json::monotonic_resource memory(room, sizeof room);
  const auto value = parse(body, 0, &memory);
  if (!value) return value.error();
  if (is_nothing(*value, true)) return HeartbeatBody();
  const json::object* object = value->if_object();
  if (object == nullptr) return unreadable(0, "it takes a JSON object");
  StartBody parsed;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    if (!is_heartbeat_field(name)) return unknown_field(name);
    if (auto read = read_start_field(name, member.value(), parsed); !read) return read.error();
  }
  return HeartbeatBody{parsed.ttl, parsed.start};
}

Result<std::optional<StartToken>> parse_start_parameter(std::optional<std::string_view> text) {
  if (!text || text->empty()) return std::optional<StartToken>();
  const auto token = StartToken::parse(*text);
  if (!token) return bad_start("parameter");
  return token;
}

Start start_of(const Id& user, const Id& session, StartBody& body) {
  Start start{user, session, body.ttl, body.limit, std::move(body.details), body.on_limit};
  if (body.replace) start.replace = *Id::parse("session", *body.replace);
  start.start = body.start;
  return start;
}

Result<PurgeBody> parse_purge_body(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  PurgeBody parsed;
  int chosen = 0;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    const json::value& value = member.value();
    if (name == "user") {
      if (!value.is_string()) return bad_field(name, "a user's name");
      parsed.user = std::string(view(value.get_string()));
      ++chosen;
    } else if (name == "idle") {
      const auto idle = read_duration(name, value);
      if (!idle) return idle.error();
      if (*idle == Millis(0))
        return bad_field(name, "more than nothing; to purge each session say all");
      parsed.idle = *idle;
      ++chosen;
    } else if (name == "all") {
      if (!value.is_bool() || !value.get_bool()) return bad_field(name, "true");
      ++chosen;
    } else if (name == "dryRun") {
      if (!value.is_bool()) return bad_field(name, "true or false");
      parsed.dry_run = value.get_bool();
    } else {
      return unknown_field(name);
    }
  }
  if (chosen != 1) {
    return Error{ErrorKind::kInvalid, "cannot purge: say exactly one of user, idle and all"};
  }
  return parsed;
}

Result<RuleBody> parse_limit_body(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  RuleBody parsed;
  for (const auto& member : *object) {
    if (const auto read = read_rule_field(view(member.key()), member.value(), parsed); !read) {
      return read.error();
    }
  }
  if (!parsed.limit && !parsed.plan && !parsed.on_limit && parsed.rules.empty()) {
    return Error{ErrorKind::kInvalid, "cannot set a limit: say limit, plan, onLimit or rules"};
  }
  return parsed;
}

Result<RuleBody> parse_plan_body(std::string_view body) {
  auto parsed = parse_limit_body(body);
  if (!parsed) return parsed.error();
  if (parsed->plan) return unknown_field("plan");
  if (parsed->limit && !*parsed->limit) {
    return bad_field("limit", text::format("a whole number from 0 (no limit) to {}", kMaxLimit));
  }
  return parsed;
}

}  // namespace concur
