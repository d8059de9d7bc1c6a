#pragma once

#include "base/eight_bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace concur {

// Whether a JSON string cannot hold the text as it is.
inline bool needs_json_escape(std::string_view text) {
  return found_in(text, ' ', [](std::uint64_t bytes) {
           return any_below(bytes, 0x20) | any_is(bytes, '"') | any_is(bytes, '\\');
         }) != 0;
}

// Appends a JSON string, quotes included (RFC 8259, section 7). Bytes that are not UTF-8 pass as
// they are.
void append_json_string(std::string& out, std::string_view text);

// The same by itself.
std::string json_string(std::string_view text);

}  // namespace concur
