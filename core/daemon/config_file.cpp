#include "daemon/config_file.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace concur {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} * 1024;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// A setting's, or `rule NAME`, whose name is looked at where it is read.
bool is_key(std::string_view text) {
  if (text.starts_with("rule ")) return is_utf8(text) && !has_control(text);
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos;
}

}  // namespace

Result<std::vector<ConfigLine>> parse_config(std::string_view name, std::string_view text) {
  std::vector<ConfigLine> lines;
  text = without_byte_order_mark(text);
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string_view key = trim(line.substr(0, equals));
    std::string_view value = equals == std::string_view::npos ? "" : trim(line.substr(equals + 1));
    if (equals == std::string_view::npos || !is_key(key) || !is_utf8(value) || has_control(value)) {
      return Error{
          ErrorKind::kInvalid,
          text::format("cannot read {} line {}: it takes the form key = value", name, number)};
    }
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    lines.push_back({std::string(key), std::string(value), number});
  }
  return lines;
}

Result<TextFile> read_config_file(const std::string& path, std::chrono::milliseconds patience) {
  auto file = read_text_file(path, kMaxBytes, patience);
  if (file) return file;
  return Error{file.error().kind,
               text::format("cannot read config file {}: {}", path, file.error().message)};
}

}  // namespace concur
