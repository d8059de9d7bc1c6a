#include "base/utf8.hpp"

#include "base/eight_bytes.hpp"
#include "base/text.hpp"

#include <cstddef>

namespace concur {

namespace {

unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

bool is_tail(unsigned byte) { return (byte & 0xC0U) == 0x80U; }

// The length of the sequence that starts at i, 0 where it is malformed. The second byte's range
// rules out overlong forms, surrogates and what lies above U+10FFFF (RFC 3629, section 4).
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const unsigned lead = byte_at(text, i);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return 0;
  const unsigned second = byte_at(text, i + 1);
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (second < low || second > high) return 0;
  for (std::size_t k = 2; k < length; ++k) {
    if (!is_tail(byte_at(text, i + k))) return 0;
  }
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

Utf8Character first_character(std::string_view text) {
  const std::size_t size = sequence_length(text, 0);
  if (size == 0) return {};
  char32_t code = byte_at(text, 0);
  if (size > 1) code &= 0xFFU >> (size + 1);
  for (std::size_t i = 1; i < size; ++i) code = code << 6U | (byte_at(text, i) & 0x3FU);
  return {code, size};
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned byte = byte_at(text, i);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && byte_at(text, i + 1) < 0xA0) return true;
  }
  return false;
}

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

bool is_printable_ascii(std::string_view text) {
  return found_in(text, ' ', [](std::uint64_t bytes) {
           return (bytes & kHighBits) | any_below(bytes, ' ') | any_is(bytes, '\x7F');
         }) == 0;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' || text[i] == '\\') out += '\\';
    if (byte_at(text, i) == 0xE2 && i + 2 < text.size()) {
      const unsigned low = (byte_at(text, i + 1) & 0x3FU) << 6U | (byte_at(text, i + 2) & 0x3FU);
      const unsigned code = 0x2000U | low;
      if ((code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) {
        out += text::format("\\u{:04x}", code);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  out += '"';
  return out;
}

}  // namespace concur
