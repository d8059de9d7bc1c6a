#pragma once

#include "session/admission.hpp"
#include "session/answer.hpp"

#include <vector>

namespace concur {

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
