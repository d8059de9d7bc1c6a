#include "page.hpp"

#include "answer_values.hpp"

#include <doctest/doctest.h>

#include <string>

namespace concur::cli {
namespace {

std::string document_of(std::initializer_list<std::string_view> pages, std::string_view list) {
  PageDocument document(list);
  std::string text;
  for (const std::string_view page : pages) text += document.text_of(read_page(page, list).value());
  return text;
}

TEST_CASE("read_page") {
  SUBCASE("takes a list's entries, what stands beside them, and where to go on") {
    const auto page =
        read_page(R"({"a":1,"sessions":[{"b":2},{}],"next":"x/y","c":[]})", "sessions");
    REQUIRE(page);
    CHECK(page->entries.size() == 2);
    CHECK(page->members.size() == 2);
    CHECK(page->next == "x/y");
  }

  SUBCASE("next is a text or a number; null and nothing are the end") {
    CHECK(read_page(R"({"s":[],"next":1000})", "s")->next == "1000");
    CHECK(read_page(R"({"s":[],"next":18446744073709551615})", "s")->next ==
          "18446744073709551615");
    CHECK(read_page(R"({"s":[],"next":null})", "s")->next.empty());
    CHECK(read_page(R"({"s":[]})", "s")->next.empty());
    CHECK(!read_page(R"({"s":[],"next":{}})", "s"));
  }

  SUBCASE("what is no such list is nothing") {
    for (const char* text : {"", "[]", "null", R"({"t":[]})", R"({"s":{}})", R"({"s":[1]})",
                             R"({"s":[{}]}x)", R"({"s":[{})", R"({"s":[{"a":"\x"}]})"}) {
      CAPTURE(text);
      CHECK(!read_page(text, "s"));
    }
  }
}

TEST_CASE("PageDocument makes one document of pages") {
  SUBCASE("in the daemon's own bytes") {
    CHECK(document_of({R"({"s":[{"a":"1"},{"b":2}],"next":"n"})", R"({"s":[],"next":"m"})",
                       R"({"s":[{"c":3.25}]})"},
                      "s") == "{\"s\":[{\"a\":\"1\"},{\"b\":2},{\"c\":3.25}]}\n");
  }

  SUBCASE("with what stands beside the list, once") {
    CHECK(document_of({R"({"user":"abc","s":[{}],"next":1})", R"({"user":"abc","s":[{}]})"}, "s") ==
          "{\"user\":\"abc\",\"s\":[{},{}]}\n");
  }

  SUBCASE("an empty one") { CHECK(document_of({R"({"s":[]})"}, "s") == "{\"s\":[]}\n"); }

  SUBCASE("one whose last page did not come has no end") {
    CHECK(document_of({R"({"s":[{}],"next":1})"}, "s") == "{\"s\":[{}");
  }
}

TEST_CASE("lines_of names the user of each entry") {
  CHECK(lines_of(*read_page(R"({"s":[{"user":"x","a":1},{"user":"y"}],"next":1})", "s")) ==
        "{\"user\":\"x\",\"a\":1}\n{\"user\":\"y\"}\n");
  CHECK(lines_of(*read_page(R"({"user":"say \"hi\"","s":[{"a":1},{}]})", "s")) ==
        "{\"user\":\"say \\\"hi\\\"\",\"a\":1}\n{\"user\":\"say \\\"hi\\\"\"}\n");
}

TEST_CASE("append_json writes as the daemon does") {
  for (const char* text :
       {"null", "true", "false", "0", "-1", "9223372036854775807", "18446744073709551615", "41.2",
        "0.333", "-0.5", R"("a\"b\\c\n\r\t\u0001é/日")", "[]", "{}", "[1,[2,{}],\"x\"]",
        R"({"z":1,"a":{"m":[true,null]}})"}) {
    std::string out;
    append_json(out, boost::json::parse(text));
    CHECK(out == text);
  }
}

}  // namespace
}  // namespace concur::cli
