#include "terminal.hpp"

#include <doctest/doctest.h>

#include <string>

namespace concur::cli {
namespace {

TEST_CASE("columns_of counts what a terminal shows") {
  CHECK(columns_of("") == 0);
  CHECK(columns_of("abc") == 3);
  CHECK(columns_of("zoë") == 3);
  CHECK(columns_of("日本") == 4);
  CHECK(columns_of("📺") == 2);
  CHECK(columns_of("e\xCC\x81") == 1);          // e and a combining acute accent
  CHECK(columns_of("\xFF\xC3 \xE6\x97") == 5);  // what is not UTF-8 counts by bytes
}

TEST_CASE("printable") {
  SUBCASE("leaves text as it is") {
    for (const char* text : {"", "abc", "zoë müller", "日本の視聴者", "📺-fan", "a\"b\\c"}) {
      CHECK(printable(text) == text);
    }
  }

  SUBCASE("shows U+FFFD for what moves the cursor or turns the direction") {
    CHECK(printable("a\nb\x1B[2Jc\x7F") == "a�b�[2Jc�");
    CHECK(printable("\xC2\x9B") == "�");  // CSI in one character
    CHECK(printable("a\xE2\x80\xAE"
                    "b") == "a�b");                        // right-to-left override
    CHECK(printable("\xE2\x81\xA6\xE2\x80\xA8") == "��");  // an isolate, a line's end
  }

  SUBCASE("and for each byte of what is not UTF-8") {
    CHECK(printable("\xC3") == "�");
    CHECK(printable("\xC0\x8A") == "��");              // overlong line feed
    CHECK(printable("\xE0\x80\x8A") == "���");         // the same in three
    CHECK(printable("\xED\xA0\x80") == "���");         // a surrogate
    CHECK(printable("\xF4\x90\x80\x80x") == "����x");  // above U+10FFFF
  }
}

TEST_CASE("shortened") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abcd", 3) == "ab…");
  CHECK(shortened("abcd", 1) == "…");
  CHECK(shortened("abcd", 0).empty());
  CHECK(shortened("日本の", 6) == "日本の");
  CHECK(shortened("日本の", 5) == "日本…");
  CHECK(shortened("日本の", 4) == "日…");  // half of a character is not shown
  CHECK(shortened("e\xCC\x81"
                  "fgh",
                  3) ==
        "e\xCC\x81"
        "f…");
}

}  // namespace
}  // namespace concur::cli
