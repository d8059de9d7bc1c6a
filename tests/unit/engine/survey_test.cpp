#include "engine/survey.hpp"

#include "support/engine_fixture.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::test;
using namespace std::chrono_literals;
using engine::Address;
using engine::Survey;

namespace {

const std::string kReplica = array({bulk("slave"), bulk("10.0.0.1"), integer(6379)});

struct Fixture : EngineFixture {
  void begin(const std::vector<Address>& asked = {kFirst, kSecond, kThird}) {
    survey = std::make_unique<Survey>(surroundings, asked);
    check_time();
  }
  void check_time() {
    turn.run([this] { survey->check_time(); });
    run();
  }
  void pass(Millis time) {
    clock.tick(time);
    check_time();
  }

  std::unique_ptr<Survey> survey;
};

}  // namespace

TEST_CASE("Survey of a cluster") {
  Fixture f;
  f.servers.all_slots = three_primaries();

  SUBCASE("believes the first that knows, though others are silent") {
    f.servers.doors[kFirst] = FakeServers::Door::kSilent;
    f.servers.doors[kSecond] = FakeServers::Door::kRefuses;
    f.begin();
    REQUIRE(f.survey->is_over());
    REQUIRE(f.survey->topology().has_value());
    CHECK(f.survey->mode() == Survey::Mode::kCluster);
    CHECK(*f.survey->topology()->owner(16383) == kThird);
  }
  SUBCASE("passes over those that belong to none, and what is malformed") {
    f.servers.slots[kFirst] = array({});
    f.servers.slots[kSecond] = array({integer(1)});
    f.begin();
    REQUIRE(f.survey->topology().has_value());
  }
  SUBCASE("says of each why nothing is known") {
    f.servers.slots[kFirst] = array({});
    f.servers.slots[kSecond] = error("NOPERM this user has no permissions");
    f.servers.doors[kThird] = FakeServers::Door::kRefuses;
    f.begin();
    REQUIRE(f.survey->is_over());
    CHECK_FALSE(f.survey->topology().has_value());
    CHECK(
        f.survey->cause() ==
        "10.0.0.1:6379: no slot of its cluster has a primary; 10.0.0.2:6379: NOPERM this user has "
        "no permissions; 10.0.0.3:6379: Connection refused");
  }
  SUBCASE("waits for half of the patience for those who are silent") {
    for (const Address& address : {kFirst, kSecond, kThird}) {
      f.servers.doors[address] = FakeServers::Door::kSilent;
    }
    f.begin();
    f.pass(499ms);
    CHECK_FALSE(f.survey->is_over());
    f.pass(1ms);
    CHECK(f.survey->is_over());
    CHECK(f.survey->cause().starts_with("10.0.0.1:6379: it does not answer; "));
  }
  SUBCASE("survives servers that close in the middle of the answer") {
    const std::string whole = three_primaries();
    for (std::size_t size = 0; size < whole.size(); size += 7) {
      Fixture cut;
      cut.servers.slots[kFirst] = whole.substr(0, size);
      cut.begin({kFirst});
      cut.servers.close();
      cut.run();
      CHECK(cut.survey->is_over());
      CHECK_FALSE(cut.survey->topology().has_value());
    }
  }
}

TEST_CASE("Survey without cluster mode") {
  Fixture f;

  SUBCASE("finds the one primary, once all have said what they are") {
    f.servers.roles[kFirst] = kReplica;
    f.servers.roles[kThird] = kReplica;
    f.begin();
    REQUIRE(f.survey->is_over());
    CHECK(f.survey->mode() == Survey::Mode::kSingle);
    CHECK(*f.survey->topology()->owner(1) == kSecond);
  }
  SUBCASE("hears the others though one is silent") {
    f.servers.doors[kFirst] = FakeServers::Door::kSilent;
    f.servers.roles[kThird] = kReplica;
    f.begin();
    CHECK_FALSE(f.survey->is_over());
    f.pass(500ms);
    REQUIRE(f.survey->is_over());
    CHECK(*f.survey->topology()->owner(1) == kSecond);
  }
  SUBCASE("takes neither of two primaries") {
    f.servers.roles[kFirst] = kReplica;
    f.begin();
    REQUIRE(f.survey->is_over());
    CHECK_FALSE(f.survey->topology().has_value());
    CHECK(f.survey->has_rivals());
    CHECK(f.survey->cause() ==
          "10.0.0.2:6379 and 10.0.0.3:6379 both say that they are primaries: make one a replica of "
          "the other");
  }
  SUBCASE("says where all are replicas") {
    for (const Address& address : {kFirst, kSecond, kThird}) f.servers.roles[address] = kReplica;
    f.begin();
    CHECK(f.survey->cause().starts_with("10.0.0.1:6379: it is a replica; "));
    CHECK_FALSE(f.survey->has_rivals());
  }
  SUBCASE("takes nothing for a role that is none") {
    f.servers.roles[kFirst] = bulk("master");
    f.begin({kFirst});
    CHECK(f.survey->cause() == "10.0.0.1:6379: its answer to ROLE is none");
  }
}
