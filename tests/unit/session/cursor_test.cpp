#include "session/cursor.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace concur;

TEST_CASE("Cursor") {
  SUBCASE("empty is the beginning") {
    CHECK(Cursor().empty());
    CHECK(Cursor().number(9) == 0);
    CHECK(Cursor("").empty());
  }
  SUBCASE("a number comes back") {
    for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{1234}, UINT64_MAX}) {
      const Cursor cursor = Cursor::at(number);
      CHECK(cursor.text().size() <= Cursor::kMaxBytes);
      CHECK(Cursor(cursor.text()).number(UINT64_MAX) == number);
    }
  }
  SUBCASE("what is no such number is none") {
    for (const char* text : {"x", "1x", "-1", "+1", " 1", "1 ", "0x1", "1.0",
                             "18446744073709551616", "99999999999999999999999999999999999999999"}) {
      CAPTURE(text);
      CHECK_FALSE(Cursor(text).number(UINT64_MAX));
    }
    CHECK(Cursor("9").number(9) == 9);
    CHECK_FALSE(Cursor("10").number(9));
  }
}
