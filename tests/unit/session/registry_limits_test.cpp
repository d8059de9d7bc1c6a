#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::id;
using concur::test::RegistryFixture;

namespace {

SetLimit own_limit(std::string_view user, std::uint32_t limit) { return {id(user), limit}; }

SetLimit plan_of(std::string_view user, std::string_view plan) {
  return {id(user), {}, std::optional(id(plan))};
}

SetPlan plan(std::string_view name, std::uint32_t limit) { return {id(name), limit}; }

UserLimit limit_of(RegistryFixture& fixture, std::string_view user) {
  return fixture.ask<UserLimit>(ShowLimit{id(user)});
}

}  // namespace

TEST_CASE("Registry: whose limit holds") {
  RegistryFixture fixture;
  SUBCASE("the default, where nothing else is set") {
    const UserLimit limit = limit_of(fixture, "abc");
    CHECK(limit.limit == 3);
    CHECK(limit.from == LimitSource::kDefault);
    CHECK(limit.plan.empty());
  }
  SUBCASE("the plan's before the default, the user's own before the plan's") {
    fixture.ask<PlanInfo>(plan("gold", 5));
    CHECK(fixture.ask<UserLimit>(plan_of("abc", "gold")).limit == 5);
    CHECK(limit_of(fixture, "abc").from == LimitSource::kPlan);
    fixture.ask<UserLimit>(own_limit("abc", 1));
    CHECK(limit_of(fixture, "abc").limit == 1);
    CHECK(limit_of(fixture, "abc").from == LimitSource::kUser);
    CHECK(limit_of(fixture, "abc").plan == "gold");
    CHECK(fixture.start("abc", "s1").limit == 1);
    fixture.denied("abc", "s2");
  }
  SUBCASE("the request's before all") {
    fixture.ask<UserLimit>(own_limit("abc", 1));
    fixture.start("abc", "s1");
    Start start{id("abc"), id("s2")};
    start.limit = 2;
    CHECK(fixture.ask<Granted>(start).limit == 2);
  }
  SUBCASE("0 is unlimited") {
    fixture.ask<UserLimit>(own_limit("abc", 0));
    for (int i = 0; i < 50; ++i) fixture.start("abc", "s" + std::to_string(i));
    CHECK(fixture.list("abc").active == 50);
  }
  SUBCASE("heartbeats and lists contain it too") {
    fixture.ask<UserLimit>(own_limit("abc", 7));
    fixture.start("abc", "s1");
    CHECK(fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")}).limit == 7);
    CHECK(fixture.list("abc").limit == 7);
  }
  SUBCASE("a change of the plan concerns all who have it") {
    fixture.ask<PlanInfo>(plan("gold", 5));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    fixture.ask<PlanInfo>(plan("gold", 6));
    CHECK(limit_of(fixture, "abc").limit == 6);
  }
  SUBCASE("what is taken away leaves the next in line") {
    fixture.ask<PlanInfo>(plan("gold", 5));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    fixture.ask<UserLimit>(own_limit("abc", 1));
    SetLimit none{id("abc")};
    none.limit.emplace();
    CHECK(fixture.ask<UserLimit>(none).limit == 5);
    none.plan.emplace();
    CHECK(fixture.ask<UserLimit>(none).limit == 3);
  }
}

TEST_CASE("Registry: a lowered limit") {
  RegistryFixture fixture;
  fixture.fill("abc");
  const UserLimit lowered = fixture.ask<UserLimit>(own_limit("abc", 1));
  SUBCASE("keeps the running streams") {
    CHECK(lowered.active == 3);
    CHECK(fixture.names("abc") == "s1 s2 s3");
    fixture.ask<Granted>(Heartbeat{id("abc"), id("s1")});
    fixture.start("abc", "s2");
  }
  SUBCASE("refuses new ones until the count is below it") {
    fixture.denied("abc", "s4");
    fixture.ask(End{id("abc"), id("s1")});
    fixture.ask(End{id("abc"), id("s2")});
    fixture.denied("abc", "s4");
    fixture.ask(End{id("abc"), id("s3")});
    CHECK(fixture.start("abc", "s4").active == 1);
  }
}

TEST_CASE("Registry: plans") {
  RegistryFixture fixture;
  SUBCASE("a new one needs a limit") {
    CHECK(std::holds_alternative<Refused>(fixture.ask(SetPlan{id("gold")})));
  }
  SUBCASE("are listed by name, with how many have them") {
    fixture.ask<PlanInfo>(plan("silver", 2));
    fixture.ask<PlanInfo>(plan("gold", 5));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    const PlanList list = fixture.ask<PlanList>(ListPlans{});
    REQUIRE(list.plans.size() == 2);
    CHECK(list.plans[0].plan == "gold");
    CHECK(list.plans[0].users == 1);
    CHECK(list.plans[1].plan == "silver");
  }
  SUBCASE("one that is not there cannot be given") {
    CHECK(std::holds_alternative<Refused>(fixture.ask(plan_of("abc", "gold"))));
    CHECK(limit_of(fixture, "abc").plan.empty());
  }
  SUBCASE("one in use cannot be removed but by force") {
    fixture.ask<PlanInfo>(plan("gold", 5));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    CHECK(std::holds_alternative<Refused>(fixture.ask(RemovePlan{id("gold")})));
    CHECK(limit_of(fixture, "abc").limit == 5);
    CHECK(fixture.ask<PlanRemoved>(RemovePlan{id("gold"), true}).users == 1);
    CHECK(limit_of(fixture, "abc").limit == 3);
    CHECK(limit_of(fixture, "abc").from == LimitSource::kDefault);
    CHECK(limit_of(fixture, "abc").plan == "gold");
    fixture.ask<PlanInfo>(plan("gold", 9));
    CHECK(limit_of(fixture, "abc").limit == 9);
  }
  SUBCASE("removing one that is not there is fine") {
    CHECK_FALSE(fixture.ask<PlanRemoved>(RemovePlan{id("gold")}).removed);
  }
  SUBCASE("report how many users are above a lowered limit") {
    fixture.ask<PlanInfo>(plan("gold", 3));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    fixture.fill("abc");
    CHECK(fixture.ask<PlanInfo>(plan("gold", 2)).users_above == 1);
    CHECK(fixture.ask<PlanInfo>(ShowPlan{id("gold")}).users_above == 1);
  }
  SUBCASE("are at most a thousand") {
    for (std::size_t i = 0; i < kMaxPlans; ++i) {
      fixture.ask<PlanInfo>(plan("p" + std::to_string(i), 1));
    }
    CHECK(std::holds_alternative<Refused>(fixture.ask(plan("one more", 1))));
    fixture.ask<PlanInfo>(plan("p7", 2));
    fixture.ask<PlanRemoved>(RemovePlan{id("p8")});
    fixture.ask<PlanInfo>(plan("one more", 1));
  }
}

TEST_CASE("Registry: limits that are listed") {
  RegistryFixture fixture;
  for (int i = 0; i < 5; ++i) fixture.ask<UserLimit>(own_limit("u" + std::to_string(i), 1));
  fixture.start("another", "s1");
  const LimitPage first = fixture.ask<LimitPage>(ListLimits{{}, 3});
  REQUIRE_FALSE(first.next.empty());
  const LimitPage second = fixture.ask<LimitPage>(ListLimits{first.next, 3});
  CHECK(first.limits.size() == 3);
  CHECK(second.limits.size() == 2);
  CHECK(second.next.empty());
}

TEST_CASE("Registry: limits and the disk") {
  RegistryFixture fixture;
  SUBCASE("an answer waits until they are stored; every user's waits for a plan") {
    fixture.start("abc", "s1");
    fixture.stores = false;
    CHECK(fixture.waits_for(own_limit("abc", 1)) > 0);
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) > 0);
    CHECK(fixture.waits_for(ShowLimit{id("xyz")}) == 0);
    fixture.store();
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) == 0);
    fixture.registry.apply(plan("gold", 1), fixture.clock.now());
    CHECK(fixture.waits_for(Heartbeat{id("abc"), id("s1")}) > 0);
    CHECK(fixture.waits_for(ShowLimit{id("nobody")}) > 0);
  }
  SUBCASE("what is set to what it is already is not stored") {
    fixture.ask<UserLimit>(own_limit("abc", 1));
    fixture.stores = false;
    fixture.ask<UserLimit>(own_limit("abc", 1));
    CHECK(fixture.store().empty());
  }
  SUBCASE("undone, they are as before") {
    fixture.ask<PlanInfo>(plan("gold", 5));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    fixture.stores = false;
    fixture.ask<PlanInfo>(plan("gold", 9));
    fixture.ask<PlanInfo>(plan("new", 9));
    fixture.ask<UserLimit>(plan_of("abc", "new"));
    fixture.ask<UserLimit>(own_limit("nobody", 9));
    fixture.ask<PlanRemoved>(RemovePlan{id("gold")});
    fixture.registry.roll_back();
    CHECK(limit_of(fixture, "abc").limit == 5);
    CHECK(limit_of(fixture, "abc").plan == "gold");
    CHECK(limit_of(fixture, "nobody").limit == 3);
    CHECK(fixture.ask<PlanList>(ListPlans{}).plans.size() == 1);
    CHECK(fixture.ask<PlanList>(ListPlans{}).plans[0].users == 1);
    CHECK(fixture.ask<LimitPage>(ListLimits{}).limits.size() == 1);
  }
  SUBCASE("undone, a removed plan's number goes to no other") {
    fixture.ask<PlanInfo>(plan("gold", 5));
    fixture.ask<UserLimit>(plan_of("abc", "gold"));
    fixture.ask<PlanRemoved>(RemovePlan{id("gold"), true});
    fixture.stores = false;
    SetLimit none{id("abc")};
    none.plan.emplace();
    fixture.ask<UserLimit>(none);
    fixture.ask<PlanInfo>(plan("new", 9));
    fixture.registry.roll_back();
    CHECK(limit_of(fixture, "abc").plan == "gold");
    CHECK(limit_of(fixture, "abc").limit == 3);
  }
  SUBCASE("restored, they hold for users with and without sessions") {
    const Now now = fixture.clock.now();
    CHECK(fixture.registry.restore(PlanRow{"gold", 5, OnLimit::kEvictOldest}, now));
    CHECK(fixture.registry.restore(LimitRow{"abc", {}, {}, "gold"}, now));
    CHECK(fixture.registry.restore(LimitRow{"xyz", 2, OnLimit::kDeny, ""}, now));
    CHECK(fixture.registry.restore(LimitRow{"lost", {}, {}, "removed"}, now));
    CHECK(limit_of(fixture, "abc").limit == 5);
    CHECK(limit_of(fixture, "abc").on_limit == OnLimit::kEvictOldest);
    CHECK(limit_of(fixture, "xyz").limit == 2);
    CHECK(limit_of(fixture, "lost").limit == 3);
    CHECK(limit_of(fixture, "lost").plan == "removed");
  }
  SUBCASE("a user whose limit is taken away is forgotten") {
    fixture.ask<UserLimit>(own_limit("abc", 1));
    SetLimit none{id("abc")};
    none.limit.emplace();
    fixture.ask<UserLimit>(none);
    CHECK(fixture.ask<LimitPage>(ListLimits{}).limits.empty());
    fixture.ask<UserLimit>(own_limit("xyz", 2));
    CHECK(fixture.ask<LimitPage>(ListLimits{}).limits.at(0).user == "xyz");
  }
}
