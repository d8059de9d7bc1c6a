#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace concur {

// Whether the bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
// above U+10FFFF).
bool is_utf8(std::string_view text);

// Whether well-formed UTF-8 text holds a control character: U+0000 to U+001F and U+007F to U+009F
// (Unicode category Cc).
bool has_control(std::string_view text);

struct Utf8Character {
  char32_t code = 0xFFFD;
  std::size_t size = 1;  // in bytes
};

// The character at the front of a text that is not empty. What is not well-formed UTF-8 counts byte
// by byte as U+FFFD.
Utf8Character first_character(std::string_view text);

// The text without a byte order mark in front, which some editors write to UTF-8 too and which says
// nothing there.
std::string_view without_byte_order_mark(std::string_view text);

// Whether all of the text is printable ASCII, as most names are: it is well formed then, and has no
// control characters.
bool is_printable_ascii(std::string_view text);

// The text in double quotes, for a line of a log: quotes and backslashes are escaped, and so are
// the characters that break a line or turn its direction for some readers (U+2028 to U+202E, U+2066
// to U+2069). Takes well-formed UTF-8 without control characters.
std::string in_quotes(std::string_view text);

}  // namespace concur
