#include "session/cursor.hpp"

#include "base/utf8.hpp"

#include "base/text.hpp"

#include <charconv>
#include <system_error>

namespace concur {

Cursor Cursor::at(std::uint64_t number) { return Cursor(std::to_string(number)); }

std::optional<std::uint64_t> Cursor::number(std::uint64_t max) const {
  if (empty()) return 0;
  std::uint64_t number = 0;
  const char* end = text_.data() + text_.size();
  const auto [rest, failed] = std::from_chars(text_.data(), end, number);
  if (failed != std::errc() || rest != end || number > max) return std::nullopt;
  return number;
}

Error Cursor::not_ours() const {
  const bool shown = text_.size() <= kMaxBytes && is_printable_ascii(text_);
  return {ErrorKind::kInvalid,
          text::format("cannot list on from {}: it is not a cursor of this daemon's",
                       shown ? '"' + text_ + '"' : "there")};
}

}  // namespace concur
