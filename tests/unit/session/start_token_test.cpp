#include "session/start_token.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("StartToken") {
  SUBCASE("is read as it was written, whatever its numbers") {
    for (const StartToken& token :
         {StartToken{0, 0}, StartToken{1, 0}, StartToken{0x19ABC4F20D1, 42},
          StartToken{0xFFFF'FFFF'FFFF'FFFF, 0xFFFF'FFFF}}) {
      const std::string text(StartTokenText(token).view());
      CAPTURE(text);
      CHECK(StartToken::parse(text) == token);
    }
    CHECK(StartTokenText({0x19ABC4F20D1, 42}).view() == "19abc4f20d1.2a");
  }
  SUBCASE("is none in any other form") {
    for (const char* text : {"",
                             ".",
                             "1",
                             "1.",
                             ".1",
                             "1.2.3",
                             "01.2",
                             "1.02",
                             "00.0",
                             "A.0",
                             "1.F",
                             " 1.2",
                             "1.2 ",
                             "-1.2",
                             "1.-2",
                             "+1.2",
                             "0x1.2",
                             "1.g",
                             "1,2",
                             "10000000000000000.0",
                             "1.100000000",
                             "\xFF.1",
                             "null"}) {
      CAPTURE(text);
      CHECK_FALSE(StartToken::parse(text));
    }
    CHECK_FALSE(StartToken::parse(std::string_view("1.2\0", 4)));
    CHECK_FALSE(StartToken::parse(std::string(60'000, '1')));
  }
  SUBCASE("of a later start is higher") {
    CHECK(StartToken{7, 1} > StartToken{7, 0});
    CHECK(StartToken{8, 0} > StartToken{7, 9});
  }
}
