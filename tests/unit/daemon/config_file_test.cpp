#include "daemon/config_file.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("parse_config") {
  SUBCASE("reads keys and values and passes the rest over") {
    const auto lines = parse_config(
        "f", "# a comment\n\n limit = 5 \r\nsocket=/run/x y.sock\n\tadmin-group = \"a b\"\nlease=");
    REQUIRE(lines.has_value());
    REQUIRE(lines->size() == 4);
    CHECK((*lines)[0].key == "limit");
    CHECK((*lines)[0].value == "5");
    CHECK((*lines)[0].number == 3);
    CHECK((*lines)[1].value == "/run/x y.sock");
    CHECK((*lines)[2].value == "a b");
    CHECK((*lines)[3].value.empty());
  }
  SUBCASE("passes over a byte order mark in front, and nowhere else") {
    const auto lines = parse_config("f", "\xEF\xBB\xBFlimit = 5\n");
    REQUIRE(lines.has_value());
    CHECK(lines->at(0).key == "limit");
    CHECK(parse_config("f", "\xEF\xBB\xBF")->empty());
    CHECK(parse_config("f", "a = 1\n\xEF\xBB\xBFlimit = 5\n").has_error());
    CHECK(parse_config("f", "\xEF\xBB\xBF\xEF\xBB\xBFlimit = 5\n").has_error());
  }
  SUBCASE("names the line that is none of these") {
    for (const char* text : {"limit 5", "= 5", "Limit = 5", "limit : 5", "a\x01 = 5",
                             "limit = \x01", "limit = \xff", "[section]"}) {
      CAPTURE(text);
      const auto lines = parse_config("/etc/f", std::string("# ok\n") + text + "\n");
      REQUIRE(lines.has_error());
      CHECK(lines.error().message == "cannot read /etc/f line 2: it takes the form key = value");
    }
  }
  SUBCASE("every cut of a good file is read or refused") {
    const std::string good = "limit = 5\nlease = 90s\n";
    for (std::size_t cut = 0; cut <= good.size(); ++cut) {
      const auto lines = parse_config("f", good.substr(0, cut));
      if (!lines) CHECK(lines.error().kind == ErrorKind::kInvalid);
    }
  }
}
