#include "api/request_sources.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;

namespace {

Sources sources_named(std::string_view text, SourceOf of = SourceOf::kProxy) {
  const auto sources = parse_sources(text, of);
  REQUIRE(sources.has_value());
  return *sources;
}

std::string value_of(std::string_view sources, const SourceText& text) {
  const Finding finding = find(sources_named(sources, SourceOf::kMediaServer), text);
  return finding.value ? *finding.value + (finding.repeated ? " (repeated)" : "") : "none";
}

}  // namespace

TEST_CASE("parse_sources") {
  SUBCASE("reads each kind, and they are written as they were read") {
    for (const char* text :
         {"", "param:user", "uri:u", "path:1", "path:64", "cookie:sid", "header:x-user", "cmcd:sid",
          "hash:ip,user-agent", "param:user header:x-concur-user cmcd:sid", "param:a:b"}) {
      CAPTURE(text);
      CHECK(to_text(sources_named(text)) == text);
    }
    CHECK(to_text(sources_named("  header:X-User   param:U ")) == "header:x-user param:U");
    CHECK(to_text(sources_named("field:user", SourceOf::kMediaServer)) == "field:user");
  }
  SUBCASE("does not name one that an answer cannot hold") {
    for (const std::string& word :
         {std::string("x\xff"), std::string("x\n"), std::string(65, 'x')}) {
      CHECK(parse_sources(word).error().message.starts_with("'...' is no source"));
    }
  }
  SUBCASE("names the one that is none") {
    for (const char* word : {"user", "param", "param:", "query:user", "path:0", "path:65", "path:x",
                             "path:01", "path:1x", "path:", "header:a/b", "header:", "cookie:a;b",
                             "cmcd:", "hash:", "hash:ip,", "hash:a,/", ":user", "field:user"}) {
      CAPTURE(word);
      const auto sources = parse_sources(std::string("param:user ") + word);
      REQUIRE(sources.has_error());
      CHECK(sources.error().kind == ErrorKind::kInvalid);
      CHECK(sources.error().message.starts_with("'" + std::string(word) + "' is no source"));
    }
  }
}

TEST_CASE("find") {
  const std::vector<Field> header{{"host", "x"},
                                  {"cookie", "a=1; sid=c1"},
                                  {"x-user", "h"},
                                  {"x-empty", ""},
                                  {"x-two", "1"},
                                  {"x-two", "2"},
                                  {"user-agent", "player"},
                                  {"cmcd-session", "sid=\"from-field\",cid=\"c\""},
                                  {"cookie", "b=2"}};
  const std::vector<Field> fields{{"user", "f"}};
  const SourceText text{"user=q&empty=&two=1&two=2",
                        "/live/tv1/seg.ts?user=u&CMCD=sid%3D%22from-uri%22%2Cst%3Dl", header,
                        fields, "192.0.2.1"};
  SUBCASE("looks where the source says") {
    CHECK(value_of("param:user", text) == "q");
    CHECK(value_of("uri:user", text) == "u");
    CHECK(value_of("path:2", text) == "tv1");
    CHECK(value_of("cookie:sid", text) == "c1");
    CHECK(value_of("cookie:b", text) == "2");
    CHECK(value_of("header:X-User", text) == "h");
    CHECK(value_of("cmcd:sid", text) == "from-field");
    CHECK(value_of("cmcd:st", text) == "live");
    CHECK(value_of("field:user", text) == "f");
  }
  SUBCASE("the first that is there counts, empty or not") {
    CHECK(value_of("param:none header:x-none cookie:none uri:user param:user", text) == "u");
    CHECK(value_of("param:empty uri:user", text) == "");
    CHECK(value_of("header:x-empty uri:user", text) == "");
    CHECK(value_of("param:none path:9 cmcd:pr", text) == "none");
    CHECK(value_of("", text) == "none");
  }
  SUBCASE("says where there are two") {
    CHECK(value_of("param:two", text) == "1 (repeated)");
    CHECK(value_of("header:x-two", text) == "1 (repeated)");
  }
  SUBCASE("a hash is the same for the same, on any day, and there where all of it is") {
    const std::string one = value_of("hash:ip,user-agent", text);
    CHECK(one == "~123cf271c7503215a33c40c3f2933cad");
    CHECK(value_of("hash:user-agent,ip", text) != one);
    CHECK(value_of("hash:ip", text) != one);
    CHECK(value_of("hash:ip,x-none", text) == "none");
    CHECK(value_of("hash:ip,x-empty", text) == "none");
    SourceText other = text;
    other.ip = "192.0.2.2";
    CHECK(value_of("hash:ip,user-agent", other) != one);
    other.ip = "";
    CHECK(value_of("hash:ip,user-agent", other) == "none");
    // What is joined is not taken for something else.
    const std::vector<Field> ab{{"a", "x,1:y"}, {"b", "z"}};
    const std::vector<Field> ba{{"a", "x"}, {"b", "y,z"}};
    CHECK(value_of("hash:a,b", {.header = ab}) != value_of("hash:a,b", {.header = ba}));
  }
}
