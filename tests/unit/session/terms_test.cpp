#include "session/terms.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("terms_of") {
  const Policy policy;
  const auto is = [](const Terms& terms, std::uint32_t limit, OnLimit on_limit, LimitSource from) {
    return terms.limit == limit && terms.on_limit == on_limit && terms.from == from;
  };
  SUBCASE("the policy's, where nobody sets anything") {
    CHECK(is(terms_of(policy, {}, {}), 3, OnLimit::kDeny, LimitSource::kDefault));
  }
  SUBCASE("the user's go before the plan's, each by itself") {
    const TermsOverride plan{5, OnLimit::kEvictOldest};
    CHECK(is(terms_of(policy, plan, {}), 5, OnLimit::kEvictOldest, LimitSource::kPlan));
    CHECK(is(terms_of(policy, plan, {1, {}}), 1, OnLimit::kEvictOldest, LimitSource::kUser));
    CHECK(is(terms_of(policy, plan, {{}, OnLimit::kDeny}), 5, OnLimit::kDeny, LimitSource::kPlan));
    CHECK(is(terms_of(policy, {{}, OnLimit::kEvictOldest}, {7, {}}), 7, OnLimit::kEvictOldest,
             LimitSource::kUser));
  }
  SUBCASE("a limit of 0 is one: it is unlimited") {
    CHECK(terms_of(policy, {5, {}}, {kUnlimited, {}}).limit == kUnlimited);
  }
  SUBCASE("a request's go before all, and say nothing of where the user's come from") {
    const Terms user = terms_of(policy, {5, {}}, {});
    CHECK(is(terms_of(user, {9, OnLimit::kEvictOldest}), 9, OnLimit::kEvictOldest,
             LimitSource::kPlan));
    CHECK(is(terms_of(user, {}), 5, OnLimit::kDeny, LimitSource::kPlan));
  }
  SUBCASE("the mode is the policy's alone") {
    Policy observed;
    observed.mode = Mode::kObserve;
    CHECK(terms_of(terms_of(observed, {5, {}}, {1, {}}), {2, {}}).mode == Mode::kObserve);
  }
}
