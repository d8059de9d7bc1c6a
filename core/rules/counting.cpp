#include "rules/counting.hpp"

#include <algorithm>
#include <array>

namespace concur {

namespace {

bool meets(const Term& term, const Attributes& session) {
  const auto value = session.value_of(term.attribute);
  if (!value) return false;
  const bool among = std::ranges::any_of(term.values, [&value](const Term::Value& each) {
    return each.is_beginning ? value->starts_with(each.text) : *value == each.text;
  });
  return among != term.is_not;
}

bool meets(const Rule& rule, const Attributes& session) {
  return std::ranges::all_of(rule.where,
                             [&session](const Term& term) { return meets(term, session); });
}

// Nothing where the session has not all of them.
std::optional<std::vector<std::string>> values_of(const std::vector<Attribute>& attributes,
                                                  const Attributes& session) {
  std::vector<std::string> values;
  for (const Attribute& each : attributes) {
    auto value = session.value_of(each);
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
  }
  return values;
}

bool lets_missing_count(const Rule& rule) { return rule.name == kLimitName; }

Rule plain_rule(std::optional<Attribute::Kind> counts) {
  Rule rule;
  rule.name = kLimitName;
  if (counts) {
    rule.kind = Rule::Kind::kDistinct;
    rule.distinct.kind = *counts;
  }
  return rule;
}

// Counts values: each that was there before has its number.
class Values {
 public:
  // Those without any are each by itself.
  std::uint32_t number_of(const std::optional<std::string>& value) {
    if (!value) return count_++;
    for (const auto& [known, number] : known_) {
      if (known == *value) return number;
    }
    known_.emplace_back(*value, count_);
    return count_++;
  }
  bool has(const std::string& value) const {
    return std::ranges::any_of(known_, [&value](const auto& each) { return each.first == value; });
  }
  std::uint32_t count() const { return count_; }

 private:
  std::vector<std::pair<std::string, std::uint32_t>> known_;
  std::uint32_t count_ = 0;
};

std::uint32_t excess_of(std::uint32_t count, std::uint32_t max) {
  return max == kUnlimited || count < max ? 0 : count + 1 - max;
}

}  // namespace

const Rule& plain_limit_rule(std::optional<Attribute::Kind> counts) {
  static const std::array<Rule, 4> kRules = {plain_rule({}), plain_rule(Attribute::Kind::kDevice),
                                             plain_rule(Attribute::Kind::kNetwork),
                                             plain_rule(Attribute::Kind::kContent)};
  const auto found =
      std::ranges::find_if(kRules.begin() + 1, kRules.end(),
                           [&counts](const Rule& each) { return each.distinct.kind == counts; });
  return counts && found != kRules.end() ? *found : kRules.front();
}

bool applies(const Rule& rule, const Attributes& start) {
  if (!meets(rule, start) || !values_of(rule.per, start)) return false;
  const bool needs_value = rule.kind == Rule::Kind::kDistinct && !lets_missing_count(rule);
  return !needs_value || start.value_of(rule.distinct).has_value();
}

bool applies_anew(const Rule& rule, const Attributes& before, const Attributes& after) {
  if (!applies(rule, after)) return false;
  if (!applies(rule, before) || values_of(rule.per, before) != values_of(rule.per, after)) {
    return true;
  }
  return rule.kind == Rule::Kind::kDistinct &&
         before.value_of(rule.distinct) != after.value_of(rule.distinct);
}

Counted count(const RuleInForce& in_force, const Attributes& start, std::span<const Other> others) {
  const Rule& rule = *in_force.rule;
  const auto alike = values_of(rule.per, start);
  const bool by_value = rule.kind == Rule::Kind::kDistinct;
  const auto own = by_value ? start.value_of(rule.distinct) : std::nullopt;
  Counted counted;
  Values values;
  bool has_its_place = false;
  for (std::uint32_t i = 0; i < others.size(); ++i) {
    const Attributes& other = others[i].attributes;
    const bool gives = others[i].gives_its_place;
    if (others[i].leaves && !gives) continue;
    if (!meets(rule, other) || values_of(rule.per, other) != alike) continue;
    const auto value = by_value ? other.value_of(rule.distinct) : std::nullopt;
    if (by_value && !value && !lets_missing_count(rule)) continue;
    if (gives) {
      has_its_place = has_its_place || !by_value || (own && value == own) || (!own && !value);
      continue;
    }
    counted.others.push_back(i);
    if (by_value) counted.values.push_back(values.number_of(value));
  }
  counted.count = by_value ? values.count() : static_cast<std::uint32_t>(counted.others.size());
  if (rule.kind == Rule::Kind::kForbid) {
    counted.excess = kNeverRoom;
  } else if (!has_its_place && !(own && values.has(*own))) {
    counted.excess = excess_of(counted.count, in_force.max);
  }
  return counted;
}

std::vector<std::pair<std::string, std::string>> counted_together(const Rule& rule,
                                                                  const Attributes& start) {
  std::vector<std::pair<std::string, std::string>> together;
  for (const Attribute& each : rule.per) {
    together.emplace_back(std::string(name_of(each)), start.value_of(each).value_or(""));
  }
  return together;
}

}  // namespace concur
