#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

// What operators have to say to viewers.
namespace concur {

struct Denied;

// Whether it can be passed on: at most kMaxMessageBytes of UTF-8 without control characters.
// kInvalid where not; the error says what it takes, as in "it takes …".
Result<void> check_message(std::string_view text);

// The same of a denial's wording, which may name nothing else than it knows in braces.
Result<void> check_denial_wording(std::string_view wording);

// The wording with what it names filled in; empty where it is.
std::string denial_text(std::string_view wording, const Denied& denied);

}  // namespace concur
