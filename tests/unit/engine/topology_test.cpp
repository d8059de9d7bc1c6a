#include "engine/topology.hpp"

#include "support/engine_fixture.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace concur::test;
using engine::Address;
using engine::Reply;
using engine::Topology;

namespace {

Reply reply_of(const std::string& bytes) {
  engine::ReplyReader reader;
  REQUIRE(reader.feed(bytes));
  auto reply = reader.next();
  REQUIRE(reply.has_value());
  return *reply;
}

std::optional<Topology> parse(const std::string& bytes) {
  return Topology::parse(reply_of(bytes), Address{"10.9.9.9", 7000});
}

}  // namespace

TEST_CASE("Topology") {
  SUBCASE("knows nobody at first") {
    CHECK(Topology().owner(0) == nullptr);
    CHECK_FALSE(Topology().is_whole());
  }
  SUBCASE("of one server has all slots there") {
    const Topology topology = Topology::of_one(kFirst);
    CHECK(*topology.owner(16383) == kFirst);
    CHECK(topology.is_whole());
  }
  SUBCASE("is what CLUSTER SLOTS says") {
    const auto topology = parse(three_primaries());
    REQUIRE(topology.has_value());
    CHECK(*topology->owner(0) == kFirst);
    CHECK(*topology->owner(5460) == kFirst);
    CHECK(*topology->owner(5461) == kSecond);
    CHECK(*topology->owner(16383) == kThird);
    CHECK(topology->is_whole());
    CHECK(topology->primaries().size() == 3);
    CHECK(topology->replicas() == std::vector<Address>{{"10.0.0.4", 6379}});
    CHECK(topology->slot_owned_by(kSecond) == engine::Slot{5461});
    CHECK_FALSE(topology->slot_owned_by({"10.0.0.4", 6379}).has_value());
  }
  SUBCASE("a server without a host is the one that was asked, one that is unknown is nobody") {
    const auto named = [](const std::string& host) {
      return parse(array({array({integer(0), integer(9), array({host, integer(7)})})}));
    };
    CHECK(*named(bulk(""))->owner(3) == Address{"10.9.9.9", 7});
    CHECK(*named(nil())->owner(3) == Address{"10.9.9.9", 7});
    CHECK(named(bulk("?"))->owner(3) == nullptr);
    CHECK(named(bulk("a b"))->owner(3) == nullptr);
  }
  SUBCASE("slots without an owner have none") {
    const auto topology = parse(array({array({integer(5), integer(5), server(kFirst)})}));
    CHECK(topology->owner(4) == nullptr);
    CHECK(*topology->owner(5) == kFirst);
    CHECK_FALSE(topology->is_whole());
  }
  SUBCASE("refuses what is not well-formed") {
    const std::string good = server(kFirst);
    for (const std::string& bytes :
         {integer(1), bulk("x"), nil(), array({integer(1)}), array({array({})}),
          array({array({integer(0), integer(1)})}), array({array({integer(1), integer(0), good})}),
          array({array({integer(-1), integer(0), good})}),
          array({array({integer(0), integer(16384), good})}),
          array({array({bulk("0"), integer(1), good})})}) {
      CAPTURE(bytes);
      CHECK_FALSE(parse(bytes).has_value());
    }
    for (const std::string& bad :
         {array({bulk("a")}), array({bulk("a"), integer(0)}), array({bulk("a"), integer(65536)}),
          array({integer(1), integer(1)}), bulk("a")}) {
      CAPTURE(bad);
      const auto topology = parse(array({array({integer(0), integer(1), bad})}));
      REQUIRE(topology.has_value());
      CHECK(topology->owner(0) == nullptr);
    }
  }
  SUBCASE("names so many servers, and no more") {
    const auto of = [](int count) {
      std::vector<std::string> range{integer(0), integer(1)};
      for (int i = 0; i < count; ++i)
        range.push_back(server({"a", static_cast<std::uint16_t>(i + 1)}));
      return array({array(range)});
    };
    CHECK(parse(of(2048)).has_value());
    CHECK_FALSE(parse(of(2049)).has_value());
    Topology topology;
    for (std::uint16_t i = 1; i < 5000; ++i) topology.set_owner(i, {"a", i});
    CHECK(topology.primaries().size() == engine::kMaxServers);
  }
  SUBCASE("learns by redirects") {
    Topology topology = *parse(three_primaries());
    const Topology before = topology;
    topology.set_owner(7, kThird);
    CHECK(*topology.owner(7) == kThird);
    CHECK(*topology.owner(8) == kFirst);
    CHECK_FALSE(topology.agrees_with(before));
    CHECK(topology.agrees_with(topology));
    CHECK_FALSE(Topology().agrees_with(before));
  }
}

TEST_CASE("parse_role") {
  using engine::Role;
  CHECK(engine::parse_role(reply_of(array({bulk("master"), integer(1), array({})}))) ==
        Role::kPrimary);
  CHECK(engine::parse_role(reply_of(array({bulk("slave"), bulk("a")}))) == Role::kReplica);
  for (const std::string& bytes :
       {array({}), array({integer(1)}), array({bulk("sentinel")}), bulk("master"), error("ERR")}) {
    CAPTURE(bytes);
    CHECK_FALSE(engine::parse_role(reply_of(bytes)).has_value());
  }
}
