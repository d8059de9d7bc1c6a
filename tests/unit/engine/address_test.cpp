#include "engine/address.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using engine::Address;

TEST_CASE("parse_address") {
  SUBCASE("takes names and addresses, with and without a port") {
    for (const char* text : {"10.0.0.1:6380", "valkey-1.example.org:1", "[::1]:65535", "a_b:7"}) {
      CAPTURE(text);
      const auto address = engine::parse_address(text);
      REQUIRE(address.has_value());
      CHECK(to_text(*address) == text);
    }
    CHECK(*engine::parse_address("localhost") == Address{"localhost", 6379});
    CHECK(*engine::parse_address("[fe80::1%eth0]") == Address{"fe80::1%eth0", 6379});
  }
  SUBCASE("refuses anything else") {
    for (const char* text : {"", ":", ":1", "a:", "a:0", "a:65536", "a:-1", "a:+1", "a:1x", "a b:1",
                             "::1:1", "[::1", "[]:1", "[::1]1", "[::1]x:1", "a/b:1", "u@a:1"}) {
      CAPTURE(text);
      REQUIRE_FALSE(engine::parse_address(text).has_value());
      CHECK(engine::parse_address(text).error().kind == ErrorKind::kInvalid);
    }
    CHECK_FALSE(engine::parse_address(std::string(254, 'a')).has_value());
  }
}

TEST_CASE("parse_seeds") {
  SUBCASE("takes each scheme; two of them are with TLS") {
    for (const char* scheme : {"valkey://", "redis://", "valkeys://", "rediss://"}) {
      CAPTURE(scheme);
      const auto seeds = engine::parse_seeds(std::string(scheme) + "10.0.0.1:7000,b");
      REQUIRE(seeds.has_value());
      CHECK(seeds->addresses == std::vector<Address>{{"10.0.0.1", 7000}, {"b", 6379}});
      CHECK(seeds->tls == (std::string(scheme).find("s://") == std::string(scheme).size() - 4 &&
                           std::string(scheme) != "redis://"));
    }
  }
  SUBCASE("names each seed once") {
    CHECK(engine::parse_seeds("valkey://a,b,a:6379")->addresses.size() == 2);
  }
  SUBCASE("refuses a password without repeating it") {
    const auto seeds = engine::parse_seeds("valkey://user:hunter2@10.0.0.1");
    REQUIRE_FALSE(seeds.has_value());
    CHECK(seeds.error().message.find("hunter2") == std::string::npos);
    CHECK(seeds.error().message.find("--fleet-password-file") != std::string::npos);
  }
  SUBCASE("refuses a path and a query by their name") {
    for (const char* text :
         {"valkey://a/0", "valkey://a:6379/", "valkey://a?db=1", "valkey://a#b"}) {
      CAPTURE(text);
      const auto seeds = engine::parse_seeds(text);
      REQUIRE_FALSE(seeds.has_value());
      CHECK(seeds.error().message.find("without a path") != std::string::npos);
    }
  }
  SUBCASE("refuses anything else") {
    for (const char* text :
         {"", "10.0.0.1:6379", "http://a", "valkey:/a", "valkey://", "valkey://a,", "valkey://,a",
          "valkey://a b", "valkey://a/0", "Valkey://a"}) {
      CAPTURE(text);
      CHECK_FALSE(engine::parse_seeds(text).has_value());
    }
    std::string many = "valkey://a0";
    for (int i = 1; i <= 16; ++i) many += ",a" + std::to_string(i);
    CHECK_FALSE(engine::parse_seeds(many).has_value());
  }
}
