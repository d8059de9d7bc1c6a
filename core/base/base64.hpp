#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace concur {

// What the text is the base64 of (RFC 4648, section 4), padded or not; none where it is of nothing.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace concur
