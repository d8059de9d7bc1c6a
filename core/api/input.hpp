#pragma once

#include "api/message.hpp"
#include "base/result.hpp"

#include <string_view>

namespace concur {

// Whether the body says nothing: it is empty, or {} or null, which many clients send for that.
bool is_no_body(std::string_view body);

// kInvalid where a request brings what its route does not know: a parameter in the query, or a body
// where none belongs. A misspelt one must not be passed over in silence.
Result<void> check_input(const Call& call);

}  // namespace concur
