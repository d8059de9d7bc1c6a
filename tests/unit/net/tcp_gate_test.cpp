#include "net/tcp_gate.hpp"

#include "support/captured_log.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

const std::string kOne(32, '1');
const std::string kTwo(32, '2');

struct Door {
  Caller come() { return gate.greet(-1); }

  test::FakeClock clock;
  Logger log{LogLevel::kWarning, LogFormat::kText};
  TcpGate gate;
};

Credentials with(std::string_view key) { return {"10.0.0.1", key, false}; }

}  // namespace

TEST_CASE("TcpGate with keys") {
  const test::CapturedLog captured;
  const std::vector<ApiKey> keys{{"one", Role::kClient, kOne}, {"two", Role::kOperator, kTwo}};
  Door door{{},
            Logger{LogLevel::kWarning, LogFormat::kText},
            TcpGate(KeyRing(keys), door.clock, door.log)};
  Caller caller = door.come();
  CHECK_FALSE(caller.known);
  CHECK(caller.role == Role::kMetrics);
  SUBCASE("each request is made in the role of its key, whatever the host") {
    CHECK_FALSE(door.gate.admit(caller, with(kOne)));
    CHECK(caller.known);
    CHECK(caller.role == Role::kClient);
    CHECK(caller.name == "key one from somewhere");
    CHECK_FALSE(door.gate.admit(caller, with(kTwo)));
    CHECK(caller.role == Role::kOperator);
  }
  SUBCASE("none and a wrong one wait for their turn to be refused, as long as there are turns") {
    std::vector<Refusal> waiting;
    for (std::size_t i = 0; i < TcpGate::kMostWaiting; ++i) {
      auto refusal =
          i % 2 == 0 ? door.gate.admit(caller, with("no key")) : door.gate.admit(caller, {});
      REQUIRE(refusal);
      CHECK(refusal->slow);
      CHECK(refusal->turn);
      waiting.push_back(std::move(*refusal));
    }
    CHECK_FALSE(door.gate.admit(caller, {})->turn);
    CHECK_FALSE(door.gate.admit(caller, with(kOne)));
    waiting.pop_back();
    CHECK(door.gate.admit(caller, {})->turn);
    CHECK(captured.lines().size() == 10);
    door.clock.tick(60s);
    door.gate.admit(caller, {});
    CHECK(captured.lines().back().ends_with("(56 more were refused before)"));
  }
  SUBCASE("other keys: who used one that is gone is known no more") {
    CHECK_FALSE(door.gate.admit(caller, with(kOne)));
    CHECK(door.gate.still_knows(caller));
    door.gate.set_keys(KeyRing({keys[0]}));
    CHECK(door.gate.still_knows(caller));
    door.gate.set_keys(KeyRing({keys[1]}));
    CHECK_FALSE(door.gate.still_knows(caller));
    CHECK(door.gate.admit(caller, with(kOne)));
    CHECK(door.gate.still_knows(door.come()));
  }
  SUBCASE("what a page sends is refused at once, with a key too") {
    const auto refusal = door.gate.admit(caller, {"localhost", kOne, true});
    REQUIRE(refusal);
    CHECK_FALSE(refusal->slow);
  }
}

TEST_CASE("TcpGate without keys") {
  const test::CapturedLog captured;
  Door door{{},
            Logger{LogLevel::kWarning, LogFormat::kText},
            TcpGate(std::nullopt, door.clock, door.log)};
  Caller caller = door.come();
  CHECK(caller.role == Role::kClient);
  CHECK_FALSE(door.gate.admit(caller, {"localhost:80", std::nullopt, false}));
  CHECK_FALSE(door.gate.admit(caller, {"127.0.0.1", "any", false}));
  CHECK(door.gate.admit(caller, {"example.org", std::nullopt, false}));
  CHECK(door.gate.admit(caller, {std::nullopt, std::nullopt, false}));
  CHECK(door.gate.admit(caller, {"localhost", std::nullopt, true}));
}
