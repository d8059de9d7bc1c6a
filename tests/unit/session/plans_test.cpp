#include "session/plans.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

namespace {

PlanId set(Plans& plans, const std::string& name, std::uint32_t limit) {
  Plan before;
  const PlanId id = plans.find_or_add(name, before);
  REQUIRE(id != kNoPlan);
  plans[id].is_set = true;
  plans[id].limit = limit;
  return id;
}

}  // namespace

TEST_CASE("Plans") {
  Plans plans;
  SUBCASE("are found by name, and keep their number") {
    const PlanId gold = set(plans, "gold", 5);
    const PlanId silver = set(plans, "silver", 2);
    CHECK(plans.find("gold") == gold);
    CHECK(plans.find("silver") == silver);
    CHECK(plans.find("bronze") == kNoPlan);
    CHECK(set(plans, "gold", 6) == gold);
    CHECK(plans.all() == std::vector{gold, silver});
  }
  SUBCASE("set terms where they are set") {
    const PlanId gold = set(plans, "gold", 5);
    CHECK(plans.terms_of(gold).limit == 5);
    CHECK_FALSE(plans.terms_of(kNoPlan).limit);
    plans[gold].is_set = false;
    CHECK_FALSE(plans.terms_of(gold).limit);
    CHECK(plans.all().empty());
  }
  SUBCASE("a removed one keeps its number while users have it, and then gives it away") {
    const PlanId gold = set(plans, "gold", 5);
    plans[gold].is_set = false;
    const UserRule rule{UserRule::kNotSet, gold, {}};
    plans.add_user(rule, 0);
    CHECK(set(plans, "silver", 2) != gold);
    CHECK(plans.find("gold") == gold);
    plans.remove_user(rule, 0);
    CHECK(set(plans, "bronze", 1) == gold);
    CHECK(plans.find("gold") == kNoPlan);
  }
  SUBCASE("what was there before is put back, name and all") {
    const PlanId gold = set(plans, "gold", 5);
    plans[gold].is_set = false;
    Plan before;
    const PlanId silver = plans.find_or_add("silver", before);
    CHECK(silver == gold);
    CHECK(before.name == "gold");
    plans.put_back(silver, std::move(before));
    CHECK(plans.find("silver") == kNoPlan);
    CHECK(plans.find("gold") == gold);
    CHECK(plans[gold].limit == 5);
  }
  SUBCASE("are bounded, removed ones that users have among them") {
    for (std::size_t i = 0; i < 2 * kMaxPlans; ++i) {
      plans.add_user({UserRule::kNotSet, set(plans, "p" + std::to_string(i), 1), {}}, 0);
    }
    Plan before;
    CHECK(plans.find_or_add("one more", before) == kNoPlan);
    CHECK(plans.find_or_add("p7", before) != kNoPlan);
  }
  SUBCASE("count who has them, and who of those is above their limit") {
    const PlanId gold = set(plans, "gold", 2);
    const UserRule rule{UserRule::kNotSet, gold, {}};
    const UserRule own_limit{1, gold, {}};
    for (const std::uint32_t active : {0U, 1U, 2U, 3U, 7U}) plans.add_user(rule, active);
    plans.add_user(own_limit, 5);
    plans.add_user(UserRule(), 5);
    CHECK(plans.users(gold) == 6);
    CHECK(plans.users_above(gold) == 2);
    plans[gold].limit = 1;
    CHECK(plans.users_above(gold) == 3);
    plans[gold].limit = kUnlimited;
    CHECK(plans.users_above(gold) == 0);
    plans[gold].limit = 2;
    plans.count_user(rule, 3, 2);
    CHECK(plans.users_above(gold) == 1);
    plans.count_user(rule, 1, 3);
    plans.count_user(own_limit, 5, 6);
    CHECK(plans.users_above(gold) == 2);
    plans.remove_user(rule, 7);
    CHECK(plans.users(gold) == 5);
    CHECK(plans.users_above(gold) == 1);
  }
}
