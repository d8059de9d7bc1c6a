#include "fleet/fleet_config.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("parse_fleet_url") {
  FleetConfig config;
  SUBCASE("is read back from what fleet_url() writes") {
    for (const char* text :
         {"valkey://10.0.0.1:6379,10.0.0.2:7000", "valkeys://[::1]:6379,valkey.example:6380"}) {
      CAPTURE(text);
      REQUIRE(parse_fleet_url(text, config).has_value());
      CHECK(fleet_url(config) == text);
    }
    REQUIRE(parse_fleet_url("rediss://a", config).has_value());
    CHECK(fleet_url(config) == "valkeys://a:6379");
  }
  SUBCASE("leaves all as it was where it is none") {
    REQUIRE(parse_fleet_url("valkeys://a", config).has_value());
    const FleetConfig before = config;
    CHECK_FALSE(parse_fleet_url("valkey://", config).has_value());
    CHECK_FALSE(parse_fleet_url("valkey://:secret@b", config).has_value());
    CHECK(config == before);
  }
  SUBCASE("without seeds there is none to write") { CHECK(fleet_url(FleetConfig()).empty()); }
}

TEST_CASE("words of a fleet") {
  for (const auto unavailable : {Unavailable::kLocal, Unavailable::kDeny, Unavailable::kAllow}) {
    CHECK(unavailable_of(word_of(unavailable)) == unavailable);
  }
  for (const auto ack : {engine::Ack::kReplica, engine::Ack::kPrimary}) {
    CHECK(ack_of(word_of(ack)) == ack);
  }
  CHECK_FALSE(unavailable_of("open").has_value());
  CHECK_FALSE(ack_of("").has_value());
}

TEST_CASE("check_fleet_name") {
  for (const char* name : {"concur", "a", "A-9_z"}) CHECK(check_fleet_name(name).has_value());
  CHECK(check_fleet_name(std::string(64, 'a')).has_value());
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("a:b"), std::string("{a}"),
        std::string("a b"), std::string("\xc3\xa9"), std::string("a\0b", 3)}) {
    CAPTURE(name);
    CHECK_FALSE(check_fleet_name(name).has_value());
  }
}

TEST_CASE("check_box_label") {
  for (const char* label : {"edge-7.example.org", "Köln 3"}) {
    CHECK(check_box_label(label).has_value());
  }
  for (const std::string& label :
       {std::string(), std::string(65, 'a'), std::string("a\nb"), std::string("\xff")}) {
    CHECK_FALSE(check_box_label(label).has_value());
  }
}
