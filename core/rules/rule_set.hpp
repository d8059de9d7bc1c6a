#pragma once

#include "base/result.hpp"
#include "rules/rule.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace concur {

// The rules that hold beside the plain limit, in their order.
class RuleSet {
 public:
  // kInvalid where the name is there already, or there are kMaxRules.
  Result<void> add(Rule rule);

  const std::vector<Rule>& all() const { return rules_; }
  // Null where there is none.
  const Rule* find(std::string_view name) const;

  // What is legal and surely a mistake, in whole sentences: conditions that nothing can meet, rules
  // that never refuse, attributes whose name is nearly a built-in one's. `limit` is the plain
  // limit's number, kUnlimited for none.
  std::vector<std::string> doubts(std::uint32_t limit) const;

  bool operator==(const RuleSet&) const = default;

 private:
  std::vector<Rule> rules_;
};

}  // namespace concur
