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
  std::optional<StartToken> start{};
  std::optional<Millis> wait{};  // for room; 0 to kMaxWait
};

// An empty body means no options.
Result<StartBody> parse_start_body(std::string_view body);

// The command, which looks into the body.
Start start_of(const Id& user, const Id& session, StartBody& body);

struct HeartbeatBody {
  std::optional<Millis> ttl;
  std::optional<StartToken> start;
};

// An empty body means no options.
Result<HeartbeatBody> parse_heartbeat_body(std::string_view body);

// The parameter of that name in the query of an end; none where it is absent or empty.
Result<std::optional<StartToken>> parse_start_parameter(std::optional<std::string_view> text);

struct PurgeBody {
  std::optional<std::string> user;
  Millis idle{};  // 0 where user or all was given
  bool dry_run = false;
};

// Exactly one of user, idle and all.
Result<PurgeBody> parse_purge_body(std::string_view body);

// What is to be set for a user or a plan; null takes away. At least one field is there.
struct RuleBody {
  Patch<std::uint32_t> limit{};
  Patch<std::string> plan{};
  Patch<OnLimit> on_limit{};
};

// A user's: any of limit, plan and onLimit.
Result<RuleBody> parse_limit_body(std::string_view body);
// A plan's: limit, which is no null, and onLimit.
Result<RuleBody> parse_plan_body(std::string_view body);

}  // namespace concur
