#include "api/target.hpp"

#include <doctest/doctest.h>

using namespace concur;

using Segments = Target::Segments;

TEST_CASE("Target::parse") {
  SUBCASE("splits before it decodes") {
    const auto target = Target::parse("/v1/users/a%2Fb%20c/sessions/%C3%A9+x");
    REQUIRE(target.has_value());
    CHECK(target->segments() == Segments{"v1", "users", "a/b c", "sessions", "\u00e9+x"});
  }
  SUBCASE("keeps empty segments") {
    CHECK(Target::parse("/a//b/")->segments() == Segments{"a", "", "b", ""});
    CHECK(Target::parse("/")->segments() == Segments{""});
  }
  SUBCASE("reads the query") {
    const auto target = Target::parse("/x?after=12&empty=&flag&a%3Db=c+d%2B&after=13");
    REQUIRE(target.has_value());
    CHECK(target->segments() == Segments{"x"});
    CHECK(target->query("after") == "12");
    CHECK(target->query("empty") == "");
    CHECK(target->query("flag") == "");
    CHECK(target->query("a=b") == "c d+");
    CHECK_FALSE(target->query("none").has_value());
  }
  SUBCASE("refuses broken encodings and what is no path") {
    for (const char* text :
         {"", "*", "x", "http://h/x", "/%", "/%4", "/%4g", "/%-1", "/a%%41", "/x?a=%"}) {
      CAPTURE(text);
      CHECK(Target::parse(text).has_error());
    }
  }
  SUBCASE("every cut of a good one is good or an error") {
    const std::string good = "/v1/users/%41%42/sessions?after=%31";
    for (std::size_t cut = 0; cut <= good.size(); ++cut) {
      const auto target = Target::parse(good.substr(0, cut));
      if (target) CHECK_FALSE(target->segments().empty());
    }
  }
}
