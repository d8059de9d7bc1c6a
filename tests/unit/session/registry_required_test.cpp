#include "session/registry.hpp"

#include "support/registry_fixture.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using concur::test::id;
using concur::test::RegistryFixture;

TEST_CASE("Registry: what a start must say") {
  RegistryFixture fixture;
  fixture.start("abc", "before");
  Rules rules;
  rules.required = {attribute_of("network"), attribute_of("type")};
  fixture.set_policy(rules);
  Start start{id("abc"), id("s1")};
  const auto refusal = [&](const Command& command) {
    const auto refused = fixture.ask<Refused>(command);
    CHECK(refused.why.kind == ErrorKind::kInvalid);
    return refused.why.message;
  };
  SUBCASE("is named, the first that it lacks") {
    CHECK(refusal(start) ==
          "cannot start session s1 of user abc: it does not say its network, which is required");
    start.details.ip = "192.0.2.1";
    start.details.meta = R"({"kind":"live"})";
    CHECK(refusal(start).find("its type,") != std::string::npos);
    CHECK(refusal(Explain{start}).find("its type,") != std::string::npos);
    CHECK(fixture.list("abc").active == 1);
  }
  SUBCASE("lets it start") {
    start.details.ip = "192.0.2.1";
    start.details.meta = R"({"type":"tv"})";
    fixture.ask<Granted>(start);
    SUBCASE("and a renewal need not say it again") {
      start.details = {};
      CHECK(fixture.ask<Granted>(start).renewed);
    }
  }
  SUBCASE("is not asked of what is active, nor of the first service's API, nor of the blocked") {
    CHECK(fixture.start("abc", "before").renewed);
    Start first{id("abc"), id("s2")};
    first.refuse_repeat_above_limit = true;
    fixture.ask<Granted>(first);
    fixture.ask<UserBlock>(SetBlock{id("abc")});
    fixture.ask<Blocked>(start);
  }
}
