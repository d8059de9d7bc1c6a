#pragma once

#include "session/admission.hpp"
#include "session/answer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace concur {

// What an event says of a denial: the first rule that had no room, empty for the limit, and its
// number, or the limit's where that is why or a rule forbids.
inline std::string rule_named(const std::vector<Violation>& violations) {
  if (violations.empty() || violations.front().rule().name == kLimitName) return {};
  return violations.front().rule().name;
}
inline std::uint32_t limit_named(std::uint32_t limit, const std::vector<Violation>& violations) {
  const bool is_named =
      !violations.empty() && violations.front().rule().kind != Rule::Kind::kForbid;
  return is_named ? violations.front().in_force.max : limit;
}

// As an answer tells it.
inline std::vector<Broken> broken_of(const std::vector<Violation>& violations) {
  std::vector<Broken> broken;
  for (const Violation& each : violations) {
    const bool forbids = each.rule().kind == Rule::Kind::kForbid;
    broken.push_back(
        {each.rule().name, forbids ? 0 : each.in_force.max, each.counted.count, each.by});
  }
  return broken;
}

}  // namespace concur
