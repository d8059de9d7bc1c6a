#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
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
};

// An empty body means no options.
Result<StartBody> parse_start_body(std::string_view body);

struct PurgeBody {
  std::optional<std::string> user;
  Millis idle{};  // 0 where user or all was given
  bool dry_run = false;
};

// Exactly one of user, idle and all.
Result<PurgeBody> parse_purge_body(std::string_view body);

}  // namespace concur
