#include "rules/rule_numbers.hpp"

#include "base/text.hpp"
#include "rules/rule.hpp"

#include <algorithm>
#include <charconv>

namespace concur {

namespace {

using One = std::pair<std::string, std::uint32_t>;

// "tvs=2"
std::optional<One> read_one(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !is_rule_name(text.substr(0, equals))) {
    return std::nullopt;
  }
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data() + equals + 1, end, number);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return One(std::string(text.substr(0, equals)), number);
}

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
  RuleNumbers numbers = parse_readable(text);
  const auto count = text.empty() ? 0 : std::ranges::count(text, ',') + 1;
  if (static_cast<std::size_t>(count) != numbers.all().size()) return std::nullopt;
  return numbers;
}

RuleNumbers RuleNumbers::parse_readable(std::string_view text) {
  RuleNumbers numbers;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    if (const auto read = read_one(one)) numbers.set(read->first, read->second);
  }
  return numbers;
}

}  // namespace concur
