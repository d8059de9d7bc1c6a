#include "session/id.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("Id::parse") {
  SUBCASE("takes 1 to 256 bytes of text") {
    CHECK(Id::parse("user", "a")->text() == "a");
    CHECK(Id::parse("user", std::string(256, 'x')).has_value());
    CHECK(Id::parse("user", "a b/c%d?é日").has_value());
  }
  SUBCASE("says of a missing one what the first service said") {
    CHECK(Id::parse("session", "").error().message == "Please specify a userId and sessionId");
  }
  SUBCASE("refuses what is too long, not UTF-8, or holds control characters, and says why") {
    CHECK(Id::parse("user", std::string(257, 'x')).error().message ==
          "cannot accept user: it has 257 bytes, at most 256 are allowed");
    CHECK(Id::parse("session", "\xff").error().message == "cannot accept session: it is not UTF-8");
    CHECK(Id::parse("user", "a\nb").error().message ==
          "cannot accept user: it holds a control character");
    CHECK(Id::parse("user", std::string("a\0b", 3)).has_error());
  }
}
