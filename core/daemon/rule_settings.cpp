#include "daemon/rule_settings.hpp"

#include "base/text.hpp"
#include "rules/rule_text.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace concur {

namespace {

constexpr std::string_view kBeforeName = "rule ";

const std::vector<Rule>& rules_of(const Effective& effective) {
  static const std::vector<Rule> kNone;
  const auto& rules = effective.settings.service.policy.rules;
  return rules ? rules->all() : kNone;
}

const Rule* find(const std::vector<Rule>& rules, std::string_view name) {
  const auto found = std::ranges::find(rules, name, &Rule::name);
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace

bool is_rule_key(std::string_view key) { return key.starts_with(kBeforeName); }

Result<void> add_rule(Effective& to, std::string_view key, const std::string& value,
                      const std::string& source) {
  std::string_view name = key.substr(kBeforeName.size());
  name.remove_prefix(std::min(name.find_first_not_of(" \t"), name.size()));
  const auto failed = [&](std::string_view cause) {
    return Error{ErrorKind::kInvalid,
                 text::format("cannot set rule {} to '{}' ({}): {}", name, value, source, cause)};
  };
  auto rule = parse_rule(name, value);
  if (!rule) return failed(rule.error().message);
  auto& rules = to.settings.service.policy.rules;
  auto more = rules ? std::make_shared<RuleSet>(*rules) : std::make_shared<RuleSet>();
  if (auto added = more->add(std::move(*rule)); !added) return failed(added.error().message);
  rules = std::move(more);
  to.rule_sources.push_back(source);
  return {};
}

void append_rules(const Effective& effective, std::vector<SettingInForce>& to) {
  const std::vector<Rule>& rules = rules_of(effective);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    to.push_back(
        {text::format("rule {}", rules[i].name), to_text(rules[i]), effective.rule_sources[i]});
  }
}

std::string describe_rules(const Effective& effective) {
  std::string text;
  const std::vector<Rule>& rules = rules_of(effective);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    text += text::format("rule {} = {}  # {}\n#   {}.\n", rules[i].name, to_text(rules[i]),
                         effective.rule_sources[i], sentence_of(rules[i]));
  }
  return text;
}

std::vector<std::string> doubts_about_rules(const Effective& effective) {
  const Policy& policy = effective.settings.service.policy;
  if (!policy.rules) return {};
  return policy.rules->doubts(policy.counts ? kUnlimited : policy.limit);
}

std::vector<std::string> changes_of_rules(const Effective& before, const Effective& after) {
  std::vector<std::string> changes;
  for (const Rule& rule : rules_of(after)) {
    const Rule* const old = find(rules_of(before), rule.name);
    if (old != nullptr && *old == rule) continue;
    changes.push_back(text::format("rule {} is {} now, it was {}", rule.name, to_text(rule),
                                   old == nullptr ? "not there" : to_text(*old)));
  }
  for (const Rule& rule : rules_of(before)) {
    if (find(rules_of(after), rule.name) != nullptr) continue;
    changes.push_back(text::format("rule {} is gone now, it was {}", rule.name, to_text(rule)));
  }
  return changes;
}

}  // namespace concur
