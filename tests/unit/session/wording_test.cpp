#include "session/wording.hpp"

#include "session/answer.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("A message for viewers") {
  CHECK(check_message("").has_value());
  CHECK(check_message("Bitte rufen Sie uns an: \u00fcbermorgen.").has_value());
  CHECK(check_message(std::string(512, 'a')).has_value());
  CHECK_FALSE(check_message(std::string(513, 'a')).has_value());
  CHECK_FALSE(check_message("two\nlines").has_value());
  CHECK_FALSE(check_message(std::string_view("\0", 1)).has_value());
  CHECK_FALSE(check_message("\xff").has_value());
}

TEST_CASE("A denial's wording") {
  const Denied denied{"{limit}", "s4", 3, 4, 2, {}, {}};
  SUBCASE("is filled in, once") {
    CHECK(denial_text("{user}: {attempted} of {limit}, {active} now", denied) ==
          "{limit}: 4 of 2, 3 now");
    CHECK(denial_text("{user}{user}", denied) == "{limit}{limit}");
    CHECK(denial_text("", denied).empty());
  }
  SUBCASE("has braces that are none of these as they are") {
    CHECK(denial_text("{ {User} {} {user", denied) == "{ {User} {} {user");
    CHECK(check_denial_wording("{ {User} {} {user").has_value());
  }
  SUBCASE("names nothing that is not known") {
    CHECK(check_denial_wording("{user} {attempted} {active} {limit}").has_value());
    const auto checked = check_denial_wording("You may watch {limt} streams.");
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().message.find("there is no {limt}") == 0);
    CHECK_FALSE(check_denial_wording(std::string(513, 'a')).has_value());
  }
}
