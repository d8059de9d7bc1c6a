#include "session/wording.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "session/answer.hpp"

#include <algorithm>
#include <iterator>

namespace concur {

namespace {

struct Name {
  std::string_view name;
  std::string (*value)(const Denied& denied);
};

constexpr Name kNames[] = {
    {"{user}", [](const Denied& denied) { return denied.user; }},
    {"{attempted}", [](const Denied& denied) { return std::to_string(denied.attempted); }},
    {"{active}", [](const Denied& denied) { return std::to_string(denied.active); }},
    {"{limit}", [](const Denied& denied) { return std::to_string(denied.limit); }},
};

const Name* name_at(std::string_view text) {
  const auto* found = std::ranges::find_if(
      kNames, [text](const Name& each) { return text.starts_with(each.name); });
  return found == std::end(kNames) ? nullptr : found;
}

// A word in braces at the front, in small letters as the names are; empty where there is none.
std::string_view braced_word(std::string_view text) {
  const std::size_t end = text.find('}');
  if (end == std::string_view::npos || end < 2) return {};
  const bool is_word = std::ranges::all_of(
      text.substr(1, end - 1), [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); });
  return is_word ? text.substr(0, end + 1) : std::string_view();
}

}  // namespace

Result<void> check_message(std::string_view text) {
  if (text.size() <= kMaxMessageBytes && is_utf8(text) && !has_control(text)) return {};
  return Error{ErrorKind::kInvalid,
               text::format("it takes at most {} bytes of text in UTF-8, without "
                            "control characters",
                            kMaxMessageBytes)};
}

Result<void> check_denial_wording(std::string_view wording) {
  if (auto checked = check_message(wording); !checked) return checked;
  for (std::size_t at = wording.find('{'); at != std::string_view::npos;
       at = wording.find('{', at + 1)) {
    const std::string_view word = braced_word(wording.substr(at));
    if (word.empty() || name_at(word) != nullptr) continue;
    return Error{
        ErrorKind::kInvalid,
        text::format("there is no {}: it takes {{user}}, {{attempted}}, {{active}} and {{limit}}",
                     word)};
  }
  return {};
}

// What is filled in is not looked at again: a user may have any name.
std::string denial_text(std::string_view wording, const Denied& denied) {
  std::string text;
  while (!wording.empty()) {
    const std::size_t brace = std::min(wording.find('{'), wording.size());
    text += wording.substr(0, brace);
    wording.remove_prefix(brace);
    if (wording.empty()) break;
    const Name* name = name_at(wording);
    text += name == nullptr ? "{" : name->value(denied);
    wording.remove_prefix(name == nullptr ? 1 : name->name.size());
  }
  return text;
}

}  // namespace concur
