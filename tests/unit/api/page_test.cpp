#include "api/page.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace concur;

namespace {

Response ask(std::string_view name, const std::vector<Field>& fields = {}) {
  const PageFile* const file = find_page_file(name);
  REQUIRE(file != nullptr);
  return to_response(*file, fields);
}

std::string header(const Response& response, std::string_view name) {
  const std::string begin = std::string(name) + ": ";
  const std::size_t at = response.headers.find(begin);
  if (at == std::string::npos) return {};
  const std::size_t from = at + begin.size();
  return response.headers.substr(from, response.headers.find("\r\n", from) - from);
}

}  // namespace

TEST_CASE("page_files are the files that the page names") {
  const std::string_view page = find_page_file("index.html")->plain;
  std::set<std::string_view> named{"index.html"};
  constexpr std::string_view kFolder = "\"/page/";
  for (std::size_t at = 0; (at = page.find(kFolder, at)) != std::string_view::npos;) {
    at += kFolder.size();
    named.insert(page.substr(at, page.find('"', at) - at));
  }
  std::set<std::string_view> there;
  for (const PageFile& file : page_files()) there.insert(file.name);
  CHECK(there == named);
  CHECK(find_page_file("") == nullptr);
  CHECK(find_page_file("LICENSE") == nullptr);
}

TEST_CASE("page_files are light: less than 120 KB, zipped") {
  std::size_t bytes = 0;
  for (const PageFile& file : page_files()) {
    CAPTURE(file.name);
    CHECK(file.zipped.substr(0, 2) == "\x1f\x8b");
    CHECK(file.zipped.size() < file.plain.size());
    bytes += file.zipped.size();
  }
  CHECK(bytes < 120'000);
}

TEST_CASE("page_files run nothing from elsewhere, and nothing that stands in the page") {
  for (const PageFile& file : page_files()) {
    if (file.name.starts_with("uPlot")) continue;
    CAPTURE(file.name);
    for (const std::string_view word :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://",
          " style=", "<style", " onclick", "localStorage", "sessionStorage", "document.cookie"}) {
      CAPTURE(word);
      CHECK(file.plain.find(word) == std::string_view::npos);
    }
  }
}

TEST_CASE("to_response of a page's file") {
  const PageFile& file = *find_page_file("main.js");
  SUBCASE("is zipped for those who take it, each with a tag of its own") {
    const Response plain = ask("main.js");
    CHECK(plain.body == file.plain);
    CHECK(header(plain, "Content-Encoding").empty());
    const Response zipped = ask("main.js", {{"accept-encoding", "br, gzip"}});
    CHECK(zipped.body == file.zipped);
    CHECK(header(zipped, "Content-Encoding") == "gzip");
    CHECK(header(plain, "ETag") != header(zipped, "ETag"));
    CHECK(header(plain, "Vary") == "Accept-Encoding");
    CHECK(header(zipped, "Vary") == "Accept-Encoding");
  }
  SUBCASE("is 304 for those who have it, with all that would go with it") {
    const Response first = ask("main.js", {{"accept-encoding", "gzip"}});
    const std::string tag = header(first, "ETag");
    const Response again = ask("main.js", {{"accept-encoding", "gzip"}, {"if-none-match", tag}});
    CHECK(again.status == 304);
    CHECK(again.body.empty());
    CHECK(again.headers == first.headers);
    CHECK(ask("main.js", {{"if-none-match", tag}}).status == 200);
  }
  SUBCASE("lets in no byte from elsewhere, and no frame around it") {
    const std::string policy = header(ask("index.html"), "Content-Security-Policy");
    CHECK(policy ==
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
          "'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    CHECK(header(ask("index.html"), "X-Content-Type-Options") == "nosniff");
    CHECK(header(ask("index.html"), "Referrer-Policy") == "no-referrer");
    CHECK(header(ask("index.html"), "Cross-Origin-Opener-Policy") == "same-origin");
    CHECK(header(ask("index.html"), "Cross-Origin-Resource-Policy") == "same-origin");
    CHECK(header(ask("index.html"), "Cache-Control") == "no-cache");
  }
}

TEST_CASE("takes_gzip reads Accept-Encoding") {
  for (const char* yes :
       {"gzip", "GZIP", "deflate, gzip;q=0.5", "br;q=1.0,gzip ; q=1", "gzip;q=0.001"}) {
    CAPTURE(yes);
    CHECK(takes_gzip(yes));
  }
  for (const char* no :
       {"", "identity", "xgzip", "gzip;q=0", "gzip; q=0.000", "br, deflate", ",", "gzip;q=0, *"}) {
    CAPTURE(no);
    CHECK_FALSE(takes_gzip(no));
  }
}

TEST_CASE("names_tag reads If-None-Match") {
  for (const char* yes : {"\"a\"", "\"b\", \"a\"", "W/\"a\"", "*", " \"a\" "}) {
    CAPTURE(yes);
    CHECK(names_tag(yes, "\"a\""));
  }
  for (const char* no : {"", "a", "\"b\"", "\"a", "\"ab\""}) {
    CAPTURE(no);
    CHECK_FALSE(names_tag(no, "\"a\""));
  }
}
