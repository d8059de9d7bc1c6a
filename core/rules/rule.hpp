#pragma once

#include "rules/attribute.hpp"
#include "rules/on_limit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// One condition of a rule: whether what a session brings is, or is not, one of these. A session
// without it meets neither.
struct Term {
  struct Value {
    std::string text;
    bool is_beginning = false;  // what begins so is meant, too

    bool operator==(const Value&) const = default;
  };

  Attribute attribute;
  bool is_not = false;
  std::vector<Value> values;

  bool operator==(const Term&) const = default;
};

// How many sessions of one user, of those that meet its terms, may be active at once; or how many
// different values they may have; or that there may be none.
struct Rule {
  enum class Kind : std::uint8_t { kSessions, kDistinct, kForbid };

  std::string name;
  Kind kind = Kind::kSessions;
  std::uint32_t max = 0;              // kUnlimited for none; nothing for kForbid
  Attribute distinct{};               // of kDistinct
  std::vector<Attribute> per{};       // those alone are counted together that are alike in these
  std::vector<Term> where{};          // all must be met
  std::optional<OnLimit> on_limit{};  // absent: the plain limit's

  bool operator==(const Rule&) const = default;
};

inline constexpr std::size_t kMaxRules = 32;

// [a-z0-9-], 1 to 32 of them, and not "limit", which is the plain limit's name.
bool is_rule_name(std::string_view name);
inline constexpr std::string_view kLimitName = "limit";

}  // namespace concur
