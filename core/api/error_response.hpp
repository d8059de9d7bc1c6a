#pragma once

#include "api/message.hpp"
#include "base/result.hpp"

#include <string_view>

namespace concur {

// Errors as HTTP responses. The one place where they become statuses.

int status_of(ErrorKind kind);
// What an error's body calls itself, by its status: "invalid_request".
std::string_view error_name(int status);

inline constexpr std::string_view kRetrySoon = "Retry-After: 1\r\n";  // goes with a 503

// Goes with what viewers are shown: browsers take it for nothing else than it says it is.
inline constexpr std::string_view kNoSniff = "X-Content-Type-Options: nosniff\r\n";

// The message reads `cannot …: cause`.
Response error_response(int status, std::string_view message);
Response error_response(const Error& error);

}  // namespace concur
