#include "base/command_line.hpp"

#include <doctest/doctest.h>

namespace concur {

TEST_CASE("words of a command line") {
  using Words = std::vector<std::string>;

  SUBCASE("every byte comes back") {
    std::string all;
    for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
    for (const std::string& word :
         {all, std::string("{}"), std::string("[a,b]"), std::string("%%"), std::string("^5E"),
          std::string("^"), std::string(), std::string("'x'"), std::string("\"x\""),
          std::string("`x`"), std::string("a\\nb"), std::string("--user={}")}) {
      CAPTURE(word);
      const Words encoded = encode_words({word});
      REQUIRE(encoded.size() == 1);
      CHECK(decode_words(encoded[0]) == word);
    }
  }

  SUBCASE("what has a meaning for CLI11 is not seen by it") {
    for (const char* word :
         {"{}", "[a]", "%%", "\"a\"", "'a'", "`a`", "a;b", "a\\b", "#a", "a\tb"}) {
      CAPTURE(word);
      CHECK(encode_words({word})[0].find_first_of("{}[]%\"'`;\\#\t") == std::string::npos);
    }
  }

  SUBCASE("options stay options") {
    CHECK(encode_words({"start", "--user=abc", "-x", "--", "-"}) ==
          Words{"start", "--user=abc", "-x", "--", "-"});
  }

  SUBCASE("an empty value is a word of its own, but behind a --") {
    CHECK(encode_words({"--user=", "next"}) == Words{"--user", "", "next"});
    CHECK(encode_words({"--user==", "next"}) == Words{"--user==", "next"});
    CHECK(encode_words({"--", "--user="}) == Words{"--", "--user="});
  }

  SUBCASE("a message that quotes a word shows it as it was") {
    CHECK(decode_words("there is no option '" + encode_words({"--a[b]"})[0] + "' here") ==
          "there is no option '--a[b]' here");
    CHECK(decode_words("100^") == "100^");
    CHECK(decode_words("a^zz") == "a^zz");
  }
}

}  // namespace concur
