#pragma once

#include "rules/counting.hpp"
#include "session/policy.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace concur {

// Where a user's limit comes from.
enum class LimitSource : std::uint8_t { kUser, kPlan, kDefault };

// What holds for a user's starts, or for one of them.
struct Terms {
  std::uint32_t limit = 0;  // kUnlimited for none
  OnLimit on_limit = OnLimit::kDeny;
  LimitSource from = LimitSource::kDefault;  // but for a limit that a request brought
  Mode mode = Mode::kEnforce;
  std::optional<Attribute::Kind> counts{};  // what the limit counts, where it is not sessions
  std::vector<RuleInForce> rules{};         // beside the limit; asked for where a start is judged
  Millis overlap{};                         // as the policy's

  // Whether more is looked at than how many sessions there are.
  bool look_at_attributes() const { return counts || !rules.empty(); }
};

// What a request, a user or a plan sets; what is absent is left to the next of them, in this order,
// and at last to the policy.
struct TermsOverride {
  std::optional<std::uint32_t> limit{};
  std::optional<OnLimit> on_limit{};
};

inline Terms terms_of(const Policy& policy, const TermsOverride& plan, const TermsOverride& user) {
  Terms terms{policy.limit, policy.on_limit, LimitSource::kDefault, policy.mode, policy.counts};
  terms.overlap = policy.overlap;
  if (plan.limit) {
    terms.limit = *plan.limit;
    terms.from = LimitSource::kPlan;
  }
  if (user.limit) {
    terms.limit = *user.limit;
    terms.from = LimitSource::kUser;
  }
  terms.on_limit = user.on_limit.value_or(plan.on_limit.value_or(terms.on_limit));
  return terms;
}

inline Terms terms_of(const Terms& user, const TermsOverride& request) {
  Terms terms = user;
  terms.limit = request.limit.value_or(terms.limit);
  terms.on_limit = request.on_limit.value_or(terms.on_limit);
  return terms;
}

}  // namespace concur
