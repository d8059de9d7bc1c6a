#include "net/tcp_address.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("parse_tcp_address") {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535", "[2001:db8::7]:80"}) {
    CAPTURE(text);
    const auto address = parse_tcp_address(text);
    REQUIRE(address.has_value());
    CHECK(to_text(*address) == text);
  }
  for (const char* text : {"", ":", ":80", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.1:80",
                           "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:8 0",
                           "::1:80", "[::1]", "[::1]80", "[::1", "[127.0.0.1]:80", "[::1%lo"}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_tcp_address(text).has_value());
    CHECK(parse_tcp_address(text).error().kind == ErrorKind::kInvalid);
  }
}

TEST_CASE("is_loopback_host") {
  for (const char* host : {"localhost", "LocalHost:80", "localhost:", "127.0.0.1", "127.255.0.3:1",
                           "[::1]", "[::1]:8080"}) {
    CAPTURE(host);
    CHECK(is_loopback_host(host));
  }
  for (const char* host : {"", "example.org", "localhost.example.org", "127.0.0.1.example.org",
                           "localhost:x", "localhost:99999", "0.0.0.0", "192.0.2.1", "::1", "[::2]",
                           "[localhost]", "[::1", "127.0.0.1]", "localhost@example.org"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback_host(host));
  }
}
