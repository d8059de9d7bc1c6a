#include "api/target.hpp"

#include <charconv>

namespace concur {

namespace {

// Splits at each separator and hands over the parts; "" has one part.
template <class Take>
bool split(std::string_view text, char separator, const Take& take) {
  while (true) {
    const std::size_t at = text.find(separator);
    if (!take(text.substr(0, at))) return false;
    if (at == std::string_view::npos) return true;
    text.remove_prefix(at + 1);
  }
}

Error broken_target() {
  return {ErrorKind::kInvalid,
          "cannot read the path: it starts with a slash, and % stands before two hex digits"};
}

}  // namespace

bool decode_percent(std::string& out, std::string_view text, bool plus_is_space) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      unsigned char byte = 0;
      const std::string_view digits = text.substr(i + 1, 2);
      const auto [end, failed] =
          std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (failed != std::errc() || digits.size() != 2 || end != digits.data() + 2) return false;
      out += static_cast<char>(byte);
      i += 2;
    }
  }
  return true;
}

bool Target::decode(std::string_view text, bool plus_is_space, std::string_view& into) {
  into = text;
  const bool has_plus = plus_is_space && text.find('+') != std::string_view::npos;
  if (!has_plus && text.find('%') == std::string_view::npos) return true;
  std::string& decoded = decoded_.emplace_front();
  if (!decode_percent(decoded, text, plus_is_space)) return false;
  into = decoded;
  return true;
}

Result<Target> Target::parse(std::string_view text) {
  Target target;
  if (!target.assign(text)) return broken_target();
  return target;
}

void Target::clear() {
  segments_.clear();
  decoded_.clear();
  if (query_.capacity() > 0) query_ = {};
}

bool Target::assign(std::string_view text) {
  clear();
  if (text.empty() || text.front() != '/') return false;
  const std::size_t mark = text.find('?');
  const std::string_view path = text.substr(1, mark == std::string_view::npos ? mark : mark - 1);
  const bool encoded = path.find('%') != std::string_view::npos;
  const bool path_ok = split(path, '/', [&](std::string_view part) {
    std::string_view& segment = segments_.emplace_back(part);
    return !encoded || decode(part, false, segment);
  });
  if (!path_ok || mark == std::string_view::npos) return path_ok;
  return split(text.substr(mark + 1), '&', [&](std::string_view part) {
    const std::size_t equals = part.find('=');
    auto& [name, value] = query_.emplace_back();
    return decode(part.substr(0, equals), true, name) &&
           (equals == std::string_view::npos || decode(part.substr(equals + 1), true, value));
  });
}

std::optional<std::string_view> Target::query(std::string_view name) const {
  for (const auto& [key, value] : query_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace concur
