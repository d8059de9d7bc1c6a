#include "api/raw_query.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

using namespace concur;

namespace {

std::string text_of(const Finding& finding) {
  return finding.value ? *finding.value + (finding.repeated ? " (repeated)" : "") : "none";
}

}  // namespace

TEST_CASE("query_of and path_of take a URI apart, whatever it is") {
  for (const auto& [uri, path, query] :
       std::vector<std::tuple<const char*, const char*, const char*>>{
           {"/a/b?c=d&e", "/a/b", "c=d&e"},
           {"/a", "/a", ""},
           {"", "", ""},
           {"?", "", ""},
           {"/a?b?c", "/a", "b?c"},
           {"/a#b?c", "/a", ""},
           {"/a?b#c", "/a", "b"}}) {
    CAPTURE(uri);
    CHECK(path_of(uri) == path);
    CHECK(query_of(uri) == query);
  }
}

TEST_CASE("parameter") {
  for (const auto& [query, found] : std::vector<std::pair<const char*, const char*>>{
           {"user=abc", "abc"},
           {"a=1&user=abc&b=2", "abc"},
           {"user=a%20b+c", "a b c"},
           {"%75ser=abc", "abc"},
           {"user", ""},
           {"user=", ""},
           {"user=a=b", "a=b"},
           {"users=abc&xuser=abc", "none"},
           {"", "none"},
           {"&&", "none"},
           {"user=abc&user=abc", "abc (repeated)"},
           {"user=&user=abc", " (repeated)"},
           {"user=abc&use%72=x", "abc (repeated)"},
           {"user=%zz", ""},  // what cannot be decoded hides no later one
           {"%zz=1&user=abc", "abc"},
           {"user=%", ""}}) {
    CAPTURE(query);
    CHECK(text_of(parameter(query, "user")) == found);
  }
}

TEST_CASE("segment") {
  CHECK(text_of(segment("/live/a%2Fb/seg1.ts", 1)) == "live");
  CHECK(text_of(segment("/live/a%2Fb/seg1.ts", 2)) == "a/b");
  CHECK(text_of(segment("/live/a%2Fb/seg1.ts", 3)) == "seg1.ts");
  CHECK(text_of(segment("/live/a%2Fb/seg1.ts", 4)) == "none");
  CHECK(text_of(segment("/live//x", 2)) == "");
  CHECK(text_of(segment("/%zz/x", 1)) == "");
  CHECK(text_of(segment("", 1)) == "none");
  CHECK(text_of(segment("/", 1)) == "none");
}

TEST_CASE("cookie") {
  CHECK(text_of(cookie("sid=abc", "sid")) == "abc");
  CHECK(text_of(cookie("a=b; sid=abc ;c=d", "sid")) == "abc");
  CHECK(text_of(cookie("a=b;sid=\"abc\"", "sid")) == "abc");
  CHECK(text_of(cookie("sid=a%20b=c", "sid")) == "a%20b=c");
  CHECK(text_of(cookie("sid", "sid")) == "");
  CHECK(text_of(cookie("sid=1; sid=2", "sid")) == "1 (repeated)");
  CHECK(text_of(cookie("xsid=1; SID=2", "sid")) == "none");
}

TEST_CASE("cmcd_value") {
  const std::string payload =
      R"(bl=21300,br=3200,cid="faec5fc2",su,sid="6e2fb550-c457-11e9",st=l,x="a\"b,c\\")";
  CHECK(text_of(cmcd_value(payload, "sid")) == "6e2fb550-c457-11e9");
  CHECK(text_of(cmcd_value(payload, "cid")) == "faec5fc2");
  CHECK(text_of(cmcd_value(payload, "st")) == "l");
  CHECK(text_of(cmcd_value(payload, "br")) == "3200");
  CHECK(text_of(cmcd_value(payload, "su")) == "true");
  CHECK(text_of(cmcd_value(payload, "x")) == "a\"b,c\\");
  CHECK(text_of(cmcd_value(payload, "pr")) == "none");
  CHECK(text_of(cmcd_value("sid=\"a\",sid=\"b\"", "sid")) == "a (repeated)");
  // What is in quotes is no key.
  CHECK(text_of(cmcd_value("cid=\"x,sid=y\"", "sid")) == "none");
  CHECK(text_of(cmcd_value("sid=\"abc", "sid")) == "");
  CHECK(text_of(cmcd_value("sid=\"abc\\", "sid")) == "");
  CHECK(text_of(cmcd_value(" sid = \"a\"", "sid")) == "\"a\"");
  CHECK(text_of(cmcd_value("", "sid")) == "none");
}
