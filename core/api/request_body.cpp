#include "api/request_body.hpp"

#include "api/body_fields.hpp"
#include "api/input.hpp"
#include "base/text.hpp"
#include "rules/rule.hpp"
#include "session/id.hpp"
#include "session/policy.hpp"
#include "session/wording.hpp"

#include <boost/json/monotonic_resource.hpp>

#include <utility>

namespace concur {

using namespace body;

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
  if (const auto checked = check_start(parsed); !checked) return checked.error();
  return parsed;
}

Result<ExplainBody> parse_explain_body(std::string_view body) {
  ExplainBody parsed;
  if (body.empty()) return parsed;
  auto value = parse(body);
  if (!value) return value.error();
  if (is_nothing(*value, true)) return parsed;
  const auto object = object_of(std::move(*value));
  if (!object) return object.error();
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    const bool names = name == "session";
    if (names && member.value().is_null()) continue;
    const auto read = names ? keep(read_name(name, member.value()), parsed.session)
                            : read_start_field(name, member.value(), parsed.start);
    if (!read) return read.error();
  }
  if (const auto checked = check_start(parsed.start); !checked) return checked.error();
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

Result<std::string> parse_message_parameter(std::optional<std::string_view> text) {
  if (!text) return std::string();
  if (const auto checked = check_message(*text); !checked) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot accept parameter 'message': {}", checked.error().message)};
  }
  return std::string(*text);
}

Result<BlockBody> parse_block_body(std::string_view body) {
  BlockBody parsed;
  if (is_no_body(body)) return parsed;
  const auto object = parse_object(body);
  if (!object) return object.error();
  for (const auto& member : *object) {
    const auto read = read_block_field(view(member.key()), member.value(), parsed);
    if (!read) return read.error();
  }
  return parsed;
}

Start start_of(const Id& user, const Id& session, StartBody& body) {
  Start start{user, session, body.ttl, body.limit, std::move(body.details), body.on_limit};
  if (body.replace) start.replace = *Id::parse("session", *body.replace);
  start.replace_all = body.replace_all;
  start.start = body.start;
  return start;
}

Result<PurgeBody> parse_purge_body(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  PurgeBody parsed;
  bool all = false;
  bool some = false;
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    const json::value& value = member.value();
    if (name == "all") {
      if (!value.is_bool() || !value.get_bool()) return bad_field(name, "true");
      all = true;
    } else if (is_purge_selector(name)) {
      if (auto read = read_purge_selector(name, value, parsed); !read) return read.error();
      some = true;
    } else if (auto read = read_purge_option(name, value, parsed.purge); !read) {
      return read.error();
    }
  }
  if (all == some) {
    return Error{ErrorKind::kInvalid,
                 "cannot purge: say all, or any of user, idle, olderThan, ip, device, content and "
                 "meta, which must all hold"};
  }
  if (all && parsed.purge.block) {
    return Error{ErrorKind::kInvalid, "cannot purge: block does not go with all"};
  }
  parsed.purge.blocks_anyway = parsed.user.has_value();
  return parsed;
}

namespace {

Result<RuleBody> parse_rule_body(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return object.error();
  RuleBody parsed;
  for (const auto& member : *object) {
    if (const auto read = read_rule_field(view(member.key()), member.value(), parsed); !read) {
      return read.error();
    }
  }
  return parsed;
}

}  // namespace

Result<RuleBody> parse_limit_body(std::string_view body) {
  auto parsed = parse_rule_body(body);
  if (!parsed) return parsed;
  if (const auto checked = check_limit(*parsed); !checked) return checked.error();
  return parsed;
}

Result<RuleBody> parse_plan_body(std::string_view body) {
  auto parsed = parse_rule_body(body);
  if (!parsed) return parsed;
  if (const auto checked = check_plan(*parsed); !checked) return checked.error();
  return parsed;
}

SetLimit set_limit_of(const Id& user, const RuleBody& body) {
  SetLimit set{user, body.limit, {}, body.on_limit, body.rules};
  if (!body.plan) return set;
  set.plan.emplace();
  if (*body.plan) *set.plan = *Id::parse("plan", **body.plan);
  return set;
}

Result<SetPlan> set_plan_of(const Id& plan, const RuleBody& body) {
  if (plan.text() == "none" || plan.text() == "default") {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot set plan {}: that word takes a plan or a setting away from a "
                              "user, so that no plan can have it for a name",
                              plan.text())};
  }
  SetPlan set{plan, {}, body.on_limit, body.rules};
  if (body.limit) set.limit = *body.limit;
  return set;
}

}  // namespace concur
