#pragma once

#include "api/message.hpp"
#include "base/result.hpp"
#include "session/answer.hpp"

#include <string_view>

namespace concur {

// Answers as HTTP responses. The one place where outcomes become statuses.

Response to_response(const Answer& answer);
Response to_response(const Error& error);  // as error_response() has it

// The first service's own API: texts fixed to the byte.
Response to_first_response(const Answer& answer);
Response to_first_response(const Error& error);

}  // namespace concur
