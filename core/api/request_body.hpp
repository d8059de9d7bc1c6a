#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "session/command.hpp"
#include "session/session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// The bodies of requests, checked. All errors are kInvalid and say which field is wrong and what it
// takes. A field that is not known is an error: a misspelt option must not be passed over in
// silence.

struct StartBody {
  std::optional<Millis> ttl;
  std::optional<std::uint32_t> limit;
  Details details;
  std::optional<OnLimit> on_limit{};
  std::optional<std::string> replace{};  // a session's name
  bool replace_all = false;
  std::optional<StartToken> start{};
  std::optional<Millis> wait{};  // for room; 0 to kMaxWait
};

// An empty body means no options.
Result<StartBody> parse_start_body(std::string_view body);

// The command, which looks into the body.
Start start_of(const Id& user, const Id& session, StartBody& body);

struct ExplainBody {
  StartBody start;
  std::optional<std::string> session{};  // its name
};

// A start's fields, and whose. An empty body means no options.
Result<ExplainBody> parse_explain_body(std::string_view body);

struct HeartbeatBody {
  std::optional<Millis> ttl;
  std::optional<StartToken> start;
};

// An empty body means no options.
Result<HeartbeatBody> parse_heartbeat_body(std::string_view body);

// The parameter of that name in the query of an end; none where it is absent or empty.
Result<std::optional<StartToken>> parse_start_parameter(std::optional<std::string_view> text);

// The same of its message for the viewer.
Result<std::string> parse_message_parameter(std::optional<std::string_view> text);

// Of a block: none of these need be there.
struct BlockBody {
  std::optional<Millis> length;
  std::string message{};
};

// An empty body means no options.
Result<BlockBody> parse_block_body(std::string_view body);

// What a purge's body says but for the user, whom the command only names.
struct PurgeBody {
  std::optional<std::string> user;
  Purge purge{};
};

// All alone, or any of what says which; nothing that is null or empty says so.
Result<PurgeBody> parse_purge_body(std::string_view body);

// What is to be set for a user or a plan; null takes away. At least one field is there.
struct RuleBody {
  Patch<std::uint32_t> limit{};
  Patch<std::string> plan{};
  Patch<OnLimit> on_limit{};
  RulePatch rules{};
};

// A user's: any of limit, plan, onLimit and rules.
Result<RuleBody> parse_limit_body(std::string_view body);
// A plan's: limit, which is no null, onLimit and rules.
Result<RuleBody> parse_plan_body(std::string_view body);

// The commands, which look into the body. No plan is set that has the name of none.
SetLimit set_limit_of(const Id& user, const RuleBody& body);
Result<SetPlan> set_plan_of(const Id& plan, const RuleBody& body);

}  // namespace concur
