#include "base/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("is_utf8") {
  SUBCASE("takes each length of sequence at its edges") {
    for (const char* text :
         {"", "a", "\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff"}) {
      CHECK(is_utf8(text));
    }
  }
  SUBCASE("refuses overlong forms, surrogates, what is beyond Unicode, and cut sequences") {
    for (const char* text :
         {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82",
          "\xf0\x9f\x98", "\xc3(", "a\xe2\x28\xa1"}) {
      CHECK_FALSE(is_utf8(text));
    }
  }
}

TEST_CASE("has_control") {
  SUBCASE("finds both sets of control characters") {
    for (const std::string& text :
         {std::string("\0", 1), std::string("a\nb"), std::string("\x1f"), std::string("\x7f"),
          std::string("\u0080"), std::string("\u009f")}) {
      CHECK(has_control(text));
    }
  }
  SUBCASE("lets all else pass") {
    for (const char* text : {"", " ", "~", "\u00a0", "é", "\u2028", "日本"})
      CHECK_FALSE(has_control(text));
  }
}

TEST_CASE("quoted") {
  SUBCASE("leaves what is plain as it is") {
    CHECK(in_quotes("") == "\"\"");
    CHECK(in_quotes("a b/é日本\U0001f600") == "\"a b/é日本\U0001f600\"");
  }
  SUBCASE("escapes quotes and backslashes") { CHECK(in_quotes("a\"b\\c") == R"("a\"b\\c")"); }
  SUBCASE("escapes what breaks a line or turns its direction, and not its neighbours") {
    CHECK(in_quotes("\u2028\u2029\u202e\u2066\u2069") == R"("\u2028\u2029\u202e\u2066\u2069")");
    CHECK(in_quotes("\u2027\u202f\u2065\u206a") == "\"\u2027\u202f\u2065\u206a\"");
  }
}

TEST_CASE("first_character") {
  const auto is = [](std::string_view text, char32_t code, std::size_t size) {
    const Utf8Character first = first_character(text);
    return first.code == code && first.size == size;
  };
  CHECK(is("abc", U'a', 1));
  CHECK(is("éa", U'é', 2));
  CHECK(is("日a", U'日', 3));
  CHECK(is("📺", U'📺', 4));
  CHECK(is(std::string_view("\0", 1), U'\0', 1));
  for (const char* malformed : {"\x80", "\xC3", "\xC0\x8A", "\xE6\x97", "\xED\xA0\x80", "\xFF"}) {
    CHECK(is(malformed, 0xFFFD, 1));
  }
}
