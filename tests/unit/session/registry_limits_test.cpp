#include "session/registry.hpp"

#include "support/house.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::House;
using concur::test::id;

namespace {

SetLimit own_limit(std::string_view user, std::uint32_t limit) { return {id(user), limit}; }

SetLimit plan_of(std::string_view user, std::string_view plan) {
  return {id(user), {}, std::optional(id(plan))};
}

SetPlan plan(std::string_view name, std::uint32_t limit) { return {id(name), limit}; }

UserLimit limit_of(House& house, std::string_view user) {
  return house.ask<UserLimit>(ShowLimit{id(user)});
}

}  // namespace

TEST_CASE("Registry: whose limit holds") {
  House house;
  SUBCASE("the default, where nothing else is set") {
    const UserLimit limit = limit_of(house, "abc");
    CHECK(limit.limit == 3);
    CHECK(limit.from == LimitSource::kDefault);
    CHECK(limit.plan.empty());
  }
  SUBCASE("the plan's before the default, the user's own before the plan's") {
    house.ask<PlanInfo>(plan("gold", 5));
    CHECK(house.ask<UserLimit>(plan_of("abc", "gold")).limit == 5);
    CHECK(limit_of(house, "abc").from == LimitSource::kPlan);
    house.ask<UserLimit>(own_limit("abc", 1));
    CHECK(limit_of(house, "abc").limit == 1);
    CHECK(limit_of(house, "abc").from == LimitSource::kUser);
    CHECK(limit_of(house, "abc").plan == "gold");
    CHECK(house.start("abc", "s1").limit == 1);
    house.denied("abc", "s2");
  }
  SUBCASE("the request's before all") {
    house.ask<UserLimit>(own_limit("abc", 1));
    house.start("abc", "s1");
    Start start{id("abc"), id("s2")};
    start.limit = 2;
    CHECK(house.ask<Granted>(start).limit == 2);
  }
  SUBCASE("0 is unlimited") {
    house.ask<UserLimit>(own_limit("abc", 0));
    for (int i = 0; i < 50; ++i) house.start("abc", "s" + std::to_string(i));
    CHECK(house.list("abc").active == 50);
  }
  SUBCASE("heartbeats and lists contain it too") {
    house.ask<UserLimit>(own_limit("abc", 7));
    house.start("abc", "s1");
    CHECK(house.ask<Granted>(Heartbeat{id("abc"), id("s1")}).limit == 7);
    CHECK(house.list("abc").limit == 7);
  }
  SUBCASE("a change of the plan concerns all who have it") {
    house.ask<PlanInfo>(plan("gold", 5));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    house.ask<PlanInfo>(plan("gold", 6));
    CHECK(limit_of(house, "abc").limit == 6);
  }
  SUBCASE("what is taken away leaves the next in line") {
    house.ask<PlanInfo>(plan("gold", 5));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    house.ask<UserLimit>(own_limit("abc", 1));
    SetLimit none{id("abc")};
    none.limit.emplace();
    CHECK(house.ask<UserLimit>(none).limit == 5);
    none.plan.emplace();
    CHECK(house.ask<UserLimit>(none).limit == 3);
  }
}

TEST_CASE("Registry: a lowered limit") {
  House house;
  house.fill("abc");
  const UserLimit lowered = house.ask<UserLimit>(own_limit("abc", 1));
  SUBCASE("keeps the running streams") {
    CHECK(lowered.active == 3);
    CHECK(house.names("abc") == "s1 s2 s3");
    house.ask<Granted>(Heartbeat{id("abc"), id("s1")});
    house.start("abc", "s2");
  }
  SUBCASE("refuses new ones until the count is below it") {
    house.denied("abc", "s4");
    house.ask(End{id("abc"), id("s1")});
    house.ask(End{id("abc"), id("s2")});
    house.denied("abc", "s4");
    house.ask(End{id("abc"), id("s3")});
    CHECK(house.start("abc", "s4").active == 1);
  }
}

TEST_CASE("Registry: plans") {
  House house;
  SUBCASE("a new one needs a limit") {
    CHECK(std::holds_alternative<Refused>(house.ask(SetPlan{id("gold")})));
  }
  SUBCASE("are listed by name, with how many have them") {
    house.ask<PlanInfo>(plan("silver", 2));
    house.ask<PlanInfo>(plan("gold", 5));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    const PlanList list = house.ask<PlanList>(ListPlans{});
    REQUIRE(list.plans.size() == 2);
    CHECK(list.plans[0].plan == "gold");
    CHECK(list.plans[0].users == 1);
    CHECK(list.plans[1].plan == "silver");
  }
  SUBCASE("one that is not there cannot be given") {
    CHECK(std::holds_alternative<Refused>(house.ask(plan_of("abc", "gold"))));
    CHECK(limit_of(house, "abc").plan.empty());
  }
  SUBCASE("one in use cannot be removed but by force") {
    house.ask<PlanInfo>(plan("gold", 5));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    CHECK(std::holds_alternative<Refused>(house.ask(RemovePlan{id("gold")})));
    CHECK(limit_of(house, "abc").limit == 5);
    CHECK(house.ask<PlanRemoved>(RemovePlan{id("gold"), true}).users == 1);
    CHECK(limit_of(house, "abc").limit == 3);
    CHECK(limit_of(house, "abc").from == LimitSource::kDefault);
    CHECK(limit_of(house, "abc").plan == "gold");
    house.ask<PlanInfo>(plan("gold", 9));
    CHECK(limit_of(house, "abc").limit == 9);
  }
  SUBCASE("removing one that is not there is fine") {
    CHECK_FALSE(house.ask<PlanRemoved>(RemovePlan{id("gold")}).removed);
  }
  SUBCASE("report how many users are above a lowered limit") {
    house.ask<PlanInfo>(plan("gold", 3));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    house.fill("abc");
    CHECK(house.ask<PlanInfo>(plan("gold", 2)).users_above == 1);
    CHECK(house.ask<PlanInfo>(ShowPlan{id("gold")}).users_above == 1);
  }
  SUBCASE("are at most a thousand") {
    for (std::size_t i = 0; i < kMaxPlans; ++i) {
      house.ask<PlanInfo>(plan("p" + std::to_string(i), 1));
    }
    CHECK(std::holds_alternative<Refused>(house.ask(plan("one more", 1))));
    house.ask<PlanInfo>(plan("p7", 2));
    house.ask<PlanRemoved>(RemovePlan{id("p8")});
    house.ask<PlanInfo>(plan("one more", 1));
  }
}

TEST_CASE("Registry: limits that are listed") {
  House house;
  for (int i = 0; i < 5; ++i) house.ask<UserLimit>(own_limit("u" + std::to_string(i), 1));
  house.start("another", "s1");
  const LimitPage first = house.ask<LimitPage>(ListLimits{{}, 3});
  REQUIRE_FALSE(first.next.empty());
  const LimitPage second = house.ask<LimitPage>(ListLimits{first.next, 3});
  CHECK(first.limits.size() == 3);
  CHECK(second.limits.size() == 2);
  CHECK(second.next.empty());
}

TEST_CASE("Registry: limits and the disk") {
  House house;
  SUBCASE("an answer waits until they are stored; every user's waits for a plan") {
    house.start("abc", "s1");
    house.stores = false;
    CHECK(house.waits_for(own_limit("abc", 1)) > 0);
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) > 0);
    CHECK(house.waits_for(ShowLimit{id("xyz")}) == 0);
    house.store();
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) == 0);
    house.registry.apply(plan("gold", 1), house.clock.now());
    CHECK(house.waits_for(Heartbeat{id("abc"), id("s1")}) > 0);
    CHECK(house.waits_for(ShowLimit{id("nobody")}) > 0);
  }
  SUBCASE("what is set to what it is already is not stored") {
    house.ask<UserLimit>(own_limit("abc", 1));
    house.stores = false;
    house.ask<UserLimit>(own_limit("abc", 1));
    CHECK(house.store().empty());
  }
  SUBCASE("undone, they are as before") {
    house.ask<PlanInfo>(plan("gold", 5));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    house.stores = false;
    house.ask<PlanInfo>(plan("gold", 9));
    house.ask<PlanInfo>(plan("new", 9));
    house.ask<UserLimit>(plan_of("abc", "new"));
    house.ask<UserLimit>(own_limit("nobody", 9));
    house.ask<PlanRemoved>(RemovePlan{id("gold")});
    house.registry.roll_back();
    CHECK(limit_of(house, "abc").limit == 5);
    CHECK(limit_of(house, "abc").plan == "gold");
    CHECK(limit_of(house, "nobody").limit == 3);
    CHECK(house.ask<PlanList>(ListPlans{}).plans.size() == 1);
    CHECK(house.ask<PlanList>(ListPlans{}).plans[0].users == 1);
    CHECK(house.ask<LimitPage>(ListLimits{}).limits.size() == 1);
  }
  SUBCASE("undone, a removed plan's number goes to no other") {
    house.ask<PlanInfo>(plan("gold", 5));
    house.ask<UserLimit>(plan_of("abc", "gold"));
    house.ask<PlanRemoved>(RemovePlan{id("gold"), true});
    house.stores = false;
    SetLimit none{id("abc")};
    none.plan.emplace();
    house.ask<UserLimit>(none);
    house.ask<PlanInfo>(plan("new", 9));
    house.registry.roll_back();
    CHECK(limit_of(house, "abc").plan == "gold");
    CHECK(limit_of(house, "abc").limit == 3);
  }
  SUBCASE("restored, they hold for users with and without sessions") {
    const Now now = house.clock.now();
    CHECK(house.registry.restore(PlanRow{"gold", 5, OnLimit::kEvictOldest}, now));
    CHECK(house.registry.restore(LimitRow{"abc", {}, {}, "gold"}, now));
    CHECK(house.registry.restore(LimitRow{"xyz", 2, OnLimit::kDeny, ""}, now));
    CHECK(house.registry.restore(LimitRow{"lost", {}, {}, "removed"}, now));
    CHECK(limit_of(house, "abc").limit == 5);
    CHECK(limit_of(house, "abc").on_limit == OnLimit::kEvictOldest);
    CHECK(limit_of(house, "xyz").limit == 2);
    CHECK(limit_of(house, "lost").limit == 3);
    CHECK(limit_of(house, "lost").plan == "removed");
  }
  SUBCASE("a user whose limit is taken away is forgotten") {
    house.ask<UserLimit>(own_limit("abc", 1));
    SetLimit none{id("abc")};
    none.limit.emplace();
    house.ask<UserLimit>(none);
    CHECK(house.ask<LimitPage>(ListLimits{}).limits.empty());
    house.ask<UserLimit>(own_limit("xyz", 2));
    CHECK(house.ask<LimitPage>(ListLimits{}).limits.at(0).user == "xyz");
  }
}
