#pragma once

#include "api/message.hpp"
#include "base/result.hpp"
#include "session/answer.hpp"

#include <string>
#include <string_view>

namespace concur {

// Answers as HTTP responses. The one place where outcomes become statuses.

Response to_response(const Answer& answer);
Response to_response(const Error& error);  // as error_response() has it

// The first service's own API: texts fixed to the byte.
Response to_first_response(const Answer& answer);
Response to_first_response(const Error& error);

// What several of those answers say.
std::string_view name_of(EndReason reason);
std::string_view name_of(LimitSource from);
std::string denial_message(const Denied& denied);
inline constexpr std::string_view kBlockedWord = "blocked";
std::string blocked_message(const Blocked& blocked);
std::string throttled_message(const Throttled& throttled);
std::string gone_message(const Gone& gone);
// A line of a header, in whole seconds, rounded up (RFC 9110, section 10.2.3).
std::string retry_after(Millis wait);

}  // namespace concur
