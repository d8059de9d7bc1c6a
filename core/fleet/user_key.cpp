#include "fleet/user_key.hpp"

#include "session/id.hpp"

namespace concur {

std::string key_text(std::string_view name) {
  std::string text;
  text.reserve(name.size());
  for (const char each : name) {
    switch (each) {
      case '{':
        text += "%7B";
        break;
      case '}':
        text += "%7D";
        break;
      case '%':
        text += "%25";
        break;
      default:
        text.push_back(each);
    }
  }
  return text;
}

std::optional<std::string> name_of_key_text(std::string_view text) {
  std::string name;
  name.reserve(text.size());
  while (!text.empty()) {
    if (text.front() == '{' || text.front() == '}') return std::nullopt;
    const bool escaped = text.front() == '%';
    const std::string_view code = text.substr(0, escaped ? 3 : 1);
    const char plain = !escaped        ? code.front()
                       : code == "%7B" ? '{'
                       : code == "%7D" ? '}'
                       : code == "%25" ? '%'
                                       : '\0';
    if (plain == '\0') return std::nullopt;
    name.push_back(plain);
    text.remove_prefix(code.size());
  }
  return name;
}

std::string user_key(std::string_view prefix, std::string_view user) {
  return std::string(prefix) + "u:" + key_text(user);
}

std::string user_of_key(std::string_view prefix, std::string_view key) {
  if (!key.starts_with(prefix)) return {};
  key.remove_prefix(prefix.size());
  if (!key.starts_with("u:")) return {};
  const auto user = name_of_key_text(key.substr(2));
  return user && Id::parse("user", *user) ? *user : std::string();
}

}  // namespace concur
