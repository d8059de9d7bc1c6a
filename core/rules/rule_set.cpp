#include "rules/rule_set.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

bool may_be(const Term& term, const Term::Value& value) {
  const bool among = std::ranges::any_of(term.values, [&value](const Term::Value& each) {
    if (each.is_beginning) return value.text.starts_with(each.text);
    return !value.is_beginning && value.text == each.text;
  });
  return among != term.is_not;
}

// Whether no value meets both. Where either leaves room for others than it names it is not looked
// into: so much is surely a mistake.
bool exclude_each_other(const Term& one, const Term& other) {
  if (one.attribute != other.attribute || one.is_not) return false;
  return std::ranges::none_of(one.values, [&other](const Term::Value& value) {
    if (value.is_beginning && !other.is_not) {
      return std::ranges::any_of(
                 other.values,
                 [&value](const Term::Value& each) { return each.text.starts_with(value.text); }) ||
             may_be(other, value);
    }
    return may_be(other, value);
  });
}

bool contradicts_itself(const Rule& rule) {
  for (const Term& one : rule.where) {
    for (const Term& other : rule.where) {
      if (&one != &other && exclude_each_other(one, other)) return true;
    }
  }
  return false;
}

// How many signs must be put in, taken out or changed to make one of the other, up to 3.
std::size_t difference_of(std::string_view a, std::string_view b, std::size_t most = 3) {
  if (a.empty() || b.empty()) return std::min(most, a.size() + b.size());
  if (a.front() == b.front()) return difference_of(a.substr(1), b.substr(1), most);
  if (most == 0) return 0;
  const std::size_t least =
      std::min({difference_of(a.substr(1), b, most - 1), difference_of(a, b.substr(1), most - 1),
                difference_of(a.substr(1), b.substr(1), most - 1)});
  return std::min(most, least + 1);
}

std::string_view built_in_like(std::string_view key) {
  for (const std::string_view known : {"device", "network", "content"}) {
    if (difference_of(key, known) <= 2) return known;
  }
  for (const std::string_view address :
       {"IP", "Ip", "address", "addr", "ipaddress", "ip-address"}) {
    if (key == address) return "ip";
  }
  return {};
}

std::vector<std::string> unlikely_names(const Rule& rule) {
  std::vector<const Attribute*> asked_for;
  for (const Attribute& each : rule.per) asked_for.push_back(&each);
  for (const Term& each : rule.where) asked_for.push_back(&each.attribute);
  if (rule.kind == Rule::Kind::kDistinct) asked_for.push_back(&rule.distinct);
  std::vector<std::string> doubts;
  for (const Attribute* each : asked_for) {
    if (each->kind != Attribute::Kind::kMeta) continue;
    const std::string_view meant = built_in_like(each->key);
    if (meant.empty()) continue;
    doubts.push_back(text::format(
        "rule {} asks for the meta key '{}': there is no attribute of that name; was {} meant?",
        rule.name, each->key, meant));
  }
  return doubts;
}

}  // namespace

Result<void> RuleSet::add(Rule rule) {
  if (find(rule.name) != nullptr) {
    return Error{ErrorKind::kInvalid, text::format("there is a rule {} already", rule.name)};
  }
  if (rules_.size() == kMaxRules) {
    return Error{ErrorKind::kInvalid, text::format("there are {} rules already", kMaxRules)};
  }
  rules_.push_back(std::move(rule));
  return {};
}

const Rule* RuleSet::find(std::string_view name) const {
  const auto found = std::ranges::find(rules_, name, &Rule::name);
  return found == rules_.end() ? nullptr : &*found;
}

std::vector<std::string> RuleSet::doubts(std::uint32_t limit) const {
  std::vector<std::string> doubts;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (contradicts_itself(rule)) {
      doubts.push_back(text::format(
          "rule {} never applies: no session can meet all of its conditions", rule.name));
    }
    const bool counts_up = rule.kind != Rule::Kind::kForbid && limit != kUnlimited;
    if (counts_up && rule.max >= limit) {
      doubts.push_back(text::format(
          "rule {} refuses nobody whom the limit of {} lets in: it matters only to users and plans "
          "with a higher one",
          rule.name, limit));
    }
    const bool one_of_each =
        rule.kind == Rule::Kind::kDistinct && std::ranges::count(rule.per, rule.distinct) > 0;
    if (one_of_each) {
      doubts.push_back(text::format("rule {} never refuses: for each {} there is one {}", rule.name,
                                    name_of(rule.distinct), name_of(rule.distinct)));
    }
    for (std::size_t j = 0; j < i; ++j) {
      Rule same = rules_[j];
      same.name = rule.name;
      if (same == rule) {
        doubts.push_back(
            text::format("rule {} says the same as rule {}", rule.name, rules_[j].name));
      }
      if (rules_[j].kind == Rule::Kind::kForbid && rules_[j].where == rule.where && same != rule) {
        doubts.push_back(
            text::format("rule {} counts what rule {} forbids", rule.name, rules_[j].name));
      }
    }
    for (std::string& each : unlikely_names(rule)) doubts.push_back(std::move(each));
  }
  return doubts;
}

}  // namespace concur
