#include "api/input.hpp"

#include "api/route.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace concur {

namespace {

// Whether the word is one of those that spaces separate.
bool contains(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::string_view next = words.substr(0, words.find(' '));
    if (next == word) return true;
    words.remove_prefix(next.size() == words.size() ? next.size() : next.size() + 1);
  }
  return false;
}

Error unknown_parameter(std::string_view name) {
  constexpr std::size_t kMaxShown = 64;
  const bool is_shown = name.size() <= kMaxShown && is_utf8(name) && !has_control(name);
  return {ErrorKind::kInvalid, text::format("cannot accept parameter '{}': it is not known here",
                                            is_shown ? name : "...")};
}

std::string_view without_spaces(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

bool is_no_body(std::string_view body) {
  body = without_spaces(without_byte_order_mark(body));
  if (body.empty() || body == "null") return true;
  return body.size() >= 2 && body.front() == '{' && body.back() == '}' &&
         without_spaces(body.substr(1, body.size() - 2)).empty();
}

Result<void> check_input(const Call& call) {
  const Input& takes = call.route->takes;
  if (takes.ignores_others) return {};
  for (const auto& [name, value] : call.target.parameters()) {
    const bool is_nothing = name.empty() && value.empty();  // "?" or "&&"
    if (!is_nothing && !contains(takes.query, name)) return unknown_parameter(name);
  }
  if (takes.body || is_no_body(call.request.body)) return {};
  return Error{ErrorKind::kInvalid, "cannot accept a body: none belongs to this request"};
}

}  // namespace concur
