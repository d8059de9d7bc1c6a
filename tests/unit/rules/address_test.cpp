#include "rules/address.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("bare_address") {
  SUBCASE("an address comes back in its canonical form") {
    CHECK(bare_address("192.0.2.1") == "192.0.2.1");
    CHECK(bare_address("2001:0DB8:0:0::0001") == "2001:db8::1");
    CHECK(bare_address("::1") == "::1");
    CHECK(bare_address(" 192.0.2.1\t") == "192.0.2.1");
  }
  SUBCASE("without its port, brackets and zone") {
    CHECK(bare_address("192.0.2.1:5555") == "192.0.2.1");
    CHECK(bare_address("192.0.2.1:") == "192.0.2.1");
    CHECK(bare_address("[2001:db8::1]") == "2001:db8::1");
    CHECK(bare_address("[2001:DB8::1]:443") == "2001:db8::1");
    CHECK(bare_address("fe80::1%eth0") == "fe80::1");
    CHECK(bare_address("[fe80::1%25eth0]:443") == "fe80::1");
  }
  SUBCASE("the first of a list counts") {
    CHECK(bare_address("192.0.2.1, 10.0.0.1") == "192.0.2.1");
    CHECK(bare_address("192.0.2.1:80,[2001:db8::1]:443") == "192.0.2.1");
    CHECK(bare_address("[2001:db8::1]:443 , 192.0.2.1") == "2001:db8::1");
    CHECK(bare_address(" , 192.0.2.1") == "192.0.2.1");
  }
  SUBCASE("a mapped IPv4 address is IPv4") {
    CHECK(bare_address("::ffff:192.0.2.1") == "192.0.2.1");
    CHECK(bare_address("[::FFFF:c000:201]:80") == "192.0.2.1");
  }
  SUBCASE("what cannot be read stays as it is") {
    for (const char* text : {"upstairs", "", " ", ",", "192.0.2", "192.0.2.256", "192.0.2.1:http",
                             "192.0.2.1:5555555", "[2001:db8::1", "[2001:db8::1]443", "[192.0.2.1]",
                             "2001:db8::1::2", "unknown, 10.0.0.1"}) {
      CAPTURE(text);
      CHECK(bare_address(text) == text);
    }
    const std::string with_nul("192.0.2.1\0", 10);
    CHECK(bare_address(with_nul) == with_nul);
    const std::string long_text(5000, '1');
    CHECK(bare_address(long_text) == long_text);
  }
}

TEST_CASE("household_of") {
  SUBCASE("an IPv6 address is its first 64 bits") {
    CHECK(household_of("2001:db8:0:1::1") == household_of("2001:0DB8:0:1:ffff:1:2:3"));
    CHECK(household_of("2001:db8:0:1::1") != household_of("2001:db8:0:2::1"));
  }
  SUBCASE("an IPv4 address is itself, also as IPv6") {
    CHECK(household_of("192.0.2.1") == "192.0.2.1");
    CHECK(household_of("::ffff:192.0.2.1") == "192.0.2.1");
    CHECK(household_of("192.0.2.1") != household_of("192.0.2.2"));
  }
  SUBCASE("any other text is itself") { CHECK(household_of("upstairs") == "upstairs"); }
}

TEST_CASE("network_of") {
  CHECK(network_of("192.0.2.1") == "192.0.2.1");
  CHECK(network_of("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(network_of("2001:db8:0:1:2:3:4:5") == "2001:db8:0:1::");
  CHECK(network_of(network_of("2001:db8:0:1:2:3:4:5")) == "2001:db8:0:1::");
  CHECK(network_of("the second floor") == "the second floor");
  CHECK(network_of("a:b") == "a:b");
  CHECK(network_of("").empty());
}
