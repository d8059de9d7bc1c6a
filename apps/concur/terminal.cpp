#include "terminal.hpp"

#include "base/utf8.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cstdlib>
#include <cwchar>

namespace concur::cli {

namespace {

constexpr std::size_t kDefaultColumns = 80;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::size_t terminal_columns() {
  const std::string_view given = environment("COLUMNS");
  std::size_t columns = 0;
  std::from_chars(given.data(), given.data() + given.size(), columns);
  if (columns > 0) return columns;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultColumns;
}

// The locale that the environment names, as setlocale(3) would take it.
bool locale_is_utf8() {
  const locale_t named = ::newlocale(LC_CTYPE_MASK, "", nullptr);
  if (named == nullptr) return false;
  const bool utf8 = std::string_view(::nl_langinfo_l(CODESET, named)) == "UTF-8";
  ::freelocale(named);
  return utf8;
}

// Embeddings, overrides and isolates of text that runs from right to left; line and paragraph ends.
bool turns_direction(char32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x2028 || code == 0x2029;
}

// The C library's tables are asked in its own UTF-8 locale, whatever the user's is: ids are UTF-8.
// Negative where it is not printable.
int width_of(char32_t code) {
  static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (utf8 == nullptr) return code < 0x20 || (code >= 0x7F && code < 0xA0) ? -1 : 1;
  const locale_t before = ::uselocale(utf8);
  const int width = ::wcwidth(static_cast<wchar_t>(code));
  ::uselocale(before);
  return width;
}

}  // namespace

Terminal Terminal::of_output() {
  const bool blocks = locale_is_utf8();
  if (::isatty(STDOUT_FILENO) == 0) return {.columns = {}, .colours = false, .blocks = blocks};
  return {.columns = terminal_columns(),
          .colours = environment("NO_COLOR").empty() && environment("TERM") != "dumb",
          .blocks = blocks};
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto [code, size] = first_character(text);
    columns += static_cast<std::size_t>(std::max(0, width_of(code)));
    text.remove_prefix(size);
  }
  return columns;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, size] = first_character(text);
    const bool plain = code != 0xFFFD && width_of(code) >= 0 && !turns_direction(code);
    out += plain ? text.substr(0, size) : kReplacement;
    text.remove_prefix(size);
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t used = 1;  // by the ellipsis
  std::size_t kept = 0;
  while (kept < text.size()) {
    const auto [code, size] = first_character(text.substr(kept));
    used += static_cast<std::size_t>(std::max(0, width_of(code)));
    if (used > columns) break;
    kept += size;
  }
  return std::string(text.substr(0, kept)).append(kEllipsis);
}

}  // namespace concur::cli
