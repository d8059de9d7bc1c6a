#include "rules/rule_numbers.hpp"

#include "base/text.hpp"
#include "rules/rule.hpp"

#include <algorithm>
#include <charconv>

namespace concur {

namespace {

using One = std::pair<std::string, std::uint32_t>;

}  // namespace

std::optional<std::uint32_t> RuleNumbers::find(std::string_view name) const {
  const auto found = std::ranges::find(numbers_, name, &One::first);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

bool RuleNumbers::set(std::string_view name, std::optional<std::uint32_t> number) {
  const auto at = std::ranges::lower_bound(
      numbers_, name, {}, [](const One& each) -> std::string_view { return each.first; });
  const bool known = at != numbers_.end() && at->first == name;
  if (known && number) {
    at->second = *number;
  } else if (known) {
    numbers_.erase(at);
  } else if (number) {
    if (numbers_.size() == kMost) return false;
    numbers_.insert(at, {std::string(name), *number});
  }
  return true;
}

void RuleNumbers::add(const RuleNumbers& others) {
  for (const auto& [name, number] : others.numbers_) {
    const std::uint64_t sum = std::uint64_t{find(name).value_or(0)} + number;
    set(name, static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX)));
  }
}

std::string RuleNumbers::to_text() const {
  std::string text;
  for (const auto& [name, number] : numbers_) {
    text += text::format("{}{}={}", text.empty() ? "" : ",", name, number);
  }
  return text;
}

std::optional<RuleNumbers> RuleNumbers::parse(std::string_view text) {
  RuleNumbers numbers;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || !is_rule_name(one.substr(0, equals))) {
      return std::nullopt;
    }
    std::uint32_t number = 0;
    const char* const end = one.data() + one.size();
    const auto [rest, failed] = std::from_chars(one.data() + equals + 1, end, number);
    if (failed != std::errc() || rest != end) return std::nullopt;
    if (!numbers.set(one.substr(0, equals), number)) return std::nullopt;
  }
  return numbers;
}

}  // namespace concur
