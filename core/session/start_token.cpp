#include "session/start_token.hpp"

#include <charconv>
#include <concepts>
#include <system_error>

namespace concur {

namespace {

// In the one form in which the number is written: lower-case digits, no more than it takes.
bool read_hex(std::string_view text, std::unsigned_integral auto& into) {
  if (text.empty() || (text.front() == '0' && text.size() > 1)) return false;
  if (text.find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, into, 16);
  return failed == std::errc() && rest == end;
}

}  // namespace

StartTokenText::StartTokenText(const StartToken& token) {
  char* end = text_ + sizeof text_;
  char* to = std::to_chars(text_, end, token.id, 16).ptr;
  *to++ = '.';
  to = std::to_chars(to, end, token.count, 16).ptr;
  size_ = static_cast<std::size_t>(to - text_);
}

std::optional<StartToken> StartToken::parse(std::string_view text) {
  StartToken token;
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const bool read =
      read_hex(text.substr(0, dot), token.id) && read_hex(text.substr(dot + 1), token.count);
  return read ? std::optional(token) : std::nullopt;
}

}  // namespace concur
