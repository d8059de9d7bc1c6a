#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// Other numbers for rules, by name: what a user or a plan has of its own. kUnlimited: the rule's
// number does not bind it. Names of rules that are not configured any more are kept.
class RuleNumbers {
 public:
  static constexpr std::size_t kMost = 64;

  std::optional<std::uint32_t> find(std::string_view name) const;
  // Nothing: back to the next that sets one. False where there are kMost already.
  bool set(std::string_view name, std::optional<std::uint32_t> number);
  // Adds up, name by name, as far as there is room.
  void add(const RuleNumbers& others);
  bool empty() const { return numbers_.empty(); }
  // By name.
  const std::vector<std::pair<std::string, std::uint32_t>>& all() const { return numbers_; }

  // As text, for what stores them: "homes=0,tvs=2".
  std::string to_text() const;
  // Nothing where it is none of to_text()'s.
  static std::optional<RuleNumbers> parse(std::string_view text);
  // The same, and what cannot be read is left out.
  static RuleNumbers parse_readable(std::string_view text);

  bool operator==(const RuleNumbers&) const = default;

 private:
  std::vector<std::pair<std::string, std::uint32_t>> numbers_;  // sorted
};

}  // namespace concur
