#include "net/request_parser.hpp"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

using namespace concur;

namespace {

const std::string kPut =
    "PUT /v1/users/a%20b/sessions/s1?x=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    "11\r\n\r\n{\"ttl\":\"5\"}";
const std::string kChunked =
    "POST /v1/purge HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
    "chunked\r\n\r\n5\r\n{\"all\r\n7;ext=1\r\n\":true}\r\n0\r\n\r\n";
const std::string kGet = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

// Feeds the pieces as they would arrive, keeping what the parser leaves.
struct Feed {
  RequestParser parser;
  std::string left;
  RequestParser::Body how = RequestParser::Body::kWhole;

  bool add(std::string_view piece) {
    left += piece;
    const bool head_was_done = parser.head_done();
    left.erase(0, parser.feed(left));
    if (!head_was_done && parser.head_done() && !parser.done()) {
      parser.take_body(how);
      left.erase(0, parser.feed(left));
    }
    return parser.done();
  }
};

}  // namespace

TEST_CASE("RequestParser") {
  SUBCASE("reads a request with a body") {
    Feed feed;
    REQUIRE(feed.add(kPut));
    CHECK(feed.parser.method() == "PUT");
    CHECK(feed.parser.target() == "/v1/users/a%20b/sessions/s1?x=1");
    CHECK(feed.parser.body() == "{\"ttl\":\"5\"}");
    CHECK(feed.parser.keep_alive());
    CHECK(feed.left.empty());
  }
  SUBCASE("reads the same at every split into two, and byte by byte") {
    for (const std::string& request : {kPut, kChunked, kGet}) {
      Feed whole;
      REQUIRE(whole.add(request));
      for (std::size_t cut = 1; cut < request.size(); ++cut) {
        CAPTURE(cut);
        Feed feed;
        CHECK_FALSE(feed.add(request.substr(0, cut)));
        REQUIRE(feed.parser.problem().status == 0);
        REQUIRE(feed.add(request.substr(cut)));
        CHECK(feed.parser.target() == whole.parser.target());
        CHECK(feed.parser.body() == whole.parser.body());
      }
      Feed bytes;
      for (const char c : request) bytes.add(std::string(1, c));
      CHECK(bytes.parser.done());
      CHECK(bytes.parser.body() == whole.parser.body());
    }
  }
  SUBCASE("leaves the next request alone until it is reset") {
    Feed feed;
    REQUIRE(feed.add(kPut + kChunked + kGet));
    CHECK(feed.left == kChunked + kGet);
    feed.parser.reset();
    REQUIRE(feed.add(""));
    CHECK(feed.parser.body() == "{\"all\":true}");
    feed.parser.reset();
    REQUIRE(feed.add(""));
    CHECK(feed.parser.target() == "/healthz");
    CHECK(feed.parser.body().empty());
  }
  SUBCASE("says whether the connection stays") {
    for (const auto& [head, stays] : std::vector<std::pair<std::string, bool>>{
             {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
             {"GET / HTTP/1.1\r\n\r\n", true},
             {"GET / HTTP/1.0\r\n\r\n", false},
             {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false}}) {
      Feed feed;
      REQUIRE(feed.add(head));
      CHECK(feed.parser.keep_alive() == stays);
    }
  }
  SUBCASE("says once that the client waits for leave to send the body") {
    Feed feed;
    feed.add("PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    CHECK(feed.parser.take_expectation());
    CHECK_FALSE(feed.parser.take_expectation());
    CHECK(feed.add("{}"));
  }
  SUBCASE("names what is wrong as a status") {
    const std::string long_line(9000, 'x');
    for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
             {"\x16\x03\x01 TLS is not spoken here\r\n\r\n", 400},
             {"GET / HTTP/2.0\r\n\r\n", 505},
             {"GET /\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
             {"GET / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", 400},
             {"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413},
             {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
             {"GET /" + long_line + " HTTP/1.1\r\n\r\n", 431},
             {"GET / HTTP/1.1\r\nX: " + long_line + "\r\n\r\n", 431},
             {long_line, 431},
             {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n", 413}}) {
      const std::string start = bytes.substr(0, 60);
      CAPTURE(start);
      Feed feed;
      CHECK_FALSE(feed.add(bytes));
      CHECK(feed.parser.problem().status == status);
    }
  }
  SUBCASE("takes a target in absolute form, whose authority goes before the field Host") {
    for (const auto& [line, host, target] : std::vector<std::array<std::string, 3>>{
             {"GET http://concur/healthz", "concur", "/healthz"},
             {"GET HTTP://127.0.0.1:80/a/b?c=http://d/", "127.0.0.1:80", "/a/b?c=http://d/"},
             {"GET https://[::1]", "[::1]", "/"},
             {"GET http://a?x=1", "a", "/?x=1"},
             {"OPTIONS http://a", "a", "*"},
             {"OPTIONS http://a/", "a", "/"},
             {"GET /http://a/", "x", "/http://a/"},
             {"OPTIONS *", "x", "*"}}) {
      CAPTURE(line);
      Feed feed;
      REQUIRE(feed.add(line + " HTTP/1.1\r\nHost: x\r\n\r\n"));
      CHECK(feed.parser.credentials().host == host);
      CHECK(feed.parser.target() == target);
      feed.parser.reset();
      REQUIRE(feed.add("GET / HTTP/1.1\r\nHost: y\r\n\r\n"));
      CHECK(feed.parser.credentials().host == "y");
    }
    for (const std::string line : {"GET http:///healthz", "GET http://a@b/", "GET http://?x"}) {
      CAPTURE(line);
      Feed feed;
      CHECK_FALSE(feed.add(line + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
      CHECK(feed.parser.problem().status == 400);
    }
  }
  SUBCASE("keeps a bearer token") {
    for (const auto& [fields, token] :
         std::vector<std::pair<std::string, std::optional<std::string_view>>>{
             {"Authorization: Bearer abc\r\n", "abc"},
             {"authorization: bEARER   abc  \r\n", "abc"},
             {"Authorization: Bearer \r\n", std::nullopt},
             {"Authorization: Basic abc\r\n", std::nullopt},
             {"Authorization: Bearerabc\r\n", std::nullopt},
             {"Authorization: Basic x\r\nAuthorization: Bearer abc\r\n", "abc"},
             {"Authorization: Bearer abc\r\nAuthorization: Bearer abc\r\n", ""},
             {"Proxy-Authorization: Bearer abc\r\n", std::nullopt},
             {"", std::nullopt}}) {
      CAPTURE(fields);
      Feed feed;
      REQUIRE(feed.add("GET / HTTP/1.1\r\n" + fields + "\r\n"));
      CHECK(feed.parser.credentials().bearer == token);
      feed.parser.reset();
      REQUIRE(feed.add("GET / HTTP/1.1\r\n\r\n"));
      CHECK_FALSE(feed.parser.credentials().bearer);
    }
  }
  SUBCASE("reads no Authorization of a proxy's, which is the viewer's") {
    Feed feed;
    REQUIRE(feed.add("GET /v1/authorize HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n"));
    CHECK(feed.parser.credentials().entrance == Entrance::kAuthorize);
    CHECK_FALSE(feed.parser.credentials().bearer);
  }
  SUBCASE("finds a media server's key where it can have one") {
    for (const auto& [line, fields, key] :
         std::vector<std::tuple<std::string, std::string, std::optional<std::string_view>>>{
             {"/v1/hooks/srs", "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n", "secret"},
             {"/v1/hooks/srs", "authorization: bASIC   OnNlY3JldA\r\n", "secret"},
             {"/v1/hooks/srs", "Authorization: Basic c2VjcmV0\r\n", ""},
             {"/v1/hooks/srs", "Authorization: Basic ?\r\n", ""},
             {"/v1/hooks/srs", "Authorization: Bearer secret\r\n", "secret"},
             {"/v1/hooks/srs?a=b&key=s%65cret&key=x", "", "secret"},
             {"/v1/hooks/srs?key=one", "Authorization: Bearer two\r\n", "two"},
             {"/v1/hooks/srs?keys=one", "", std::nullopt},
             {"/v1/hooks/srs", "", std::nullopt},
             {"/v1/status?key=one", "", std::nullopt},
             {"/v1/authorize?key=one", "", std::nullopt},
             {"/v1/status", "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n", std::nullopt}}) {
      CAPTURE(line);
      CAPTURE(fields);
      Feed feed;
      REQUIRE(feed.add("GET " + line + " HTTP/1.1\r\n" + fields + "\r\n"));
      CHECK(feed.parser.credentials().bearer == key);
    }
  }
  SUBCASE("keeps what a browser says by itself") {
    Feed feed;
    REQUIRE(
        feed.add("GET / HTTP/1.1\r\nOrigin: http://a\r\nsec-fetch-site: same-origin\r\n"
                 "Sec-Fetch-Mode: navigate\r\n\r\n"));
    CHECK(feed.parser.credentials().browser.origin == "http://a");
    CHECK(feed.parser.credentials().browser.site == "same-origin");
    CHECK(feed.parser.credentials().browser.navigates);
    feed.parser.reset();
    REQUIRE(
        feed.add("GET / HTTP/1.1\r\nOrigin: http://a\r\nOrigin: http://b\r\n"
                 "Sec-Fetch-Mode: cors\r\n\r\n"));
    CHECK(feed.parser.credentials().browser.origin == "");
    CHECK_FALSE(feed.parser.credentials().browser.site);
    CHECK_FALSE(feed.parser.credentials().browser.navigates);
  }
  SUBCASE("keeps all fields of what proxies and media servers pass on, in their order") {
    for (const std::string target : {"/v1/authorize", "/v1/authorize/a?b", "/v1/hooks/srs"}) {
      Feed feed;
      REQUIRE(feed.add("GET " + target +
                       " HTTP/1.1\r\nHost: x\r\nX-User:  a b \r\nCookie: a=1\r\n"
                       "x-empty:\r\ncookie: b=2\r\n\r\n"));
      std::string all;
      for (const Field& field : feed.parser.fields()) {
        all.append(field.name).append("=").append(field.value).append("|");
      }
      CHECK(all == "host=x|x-user=a b|cookie=a=1|x-empty=|cookie=b=2|");
      feed.parser.reset();
      REQUIRE(feed.add(kGet));
      CHECK(feed.parser.fields().empty());
    }
  }
  SUBCASE("keeps fields up to the bound") {
    std::string head = "GET /v1/authorize HTTP/1.1\r\n";
    while (head.size() + 7 + 2 <= RequestParser::kMaxHeaderBytes) head += "A: bc\r\n";
    Feed feed;
    REQUIRE(feed.add(head + "\r\n"));
    REQUIRE(feed.parser.fields().size() > 1000);
    for (const Field& field : feed.parser.fields()) {
      CHECK(field.name == "a");
      CHECK(field.value == "bc");
    }
  }
  SUBCASE("passes over empty lines before a request") {
    for (const std::string before : {"\r\n", "\r\n\r\n\r\n"}) {
      const std::string request = before + kPut;
      for (std::size_t cut = 1; cut < request.size(); ++cut) {
        CAPTURE(cut);
        Feed feed;
        CHECK_FALSE(feed.add(request.substr(0, cut)));
        REQUIRE(feed.add(request.substr(cut)));
        CHECK(feed.parser.target() == "/v1/users/a%20b/sessions/s1?x=1");
      }
    }
    for (const std::string not_empty : {"\r", " \r\n", "\r\r\n"}) {
      Feed feed;
      CHECK_FALSE(feed.add(not_empty + kGet));
      CHECK(feed.parser.problem().status == 400);
    }
  }
  SUBCASE("names a line that ends with LF alone, at once") {
    for (const std::string request :
         {"GET /healthz HTTP/1.1\nHost: x\n\n", "GET /healthz HTTP/1.1\r\nHost: x\n\n",
          "GET /healthz HTTP/1.1\nHost: x\r\n\r\n", "\nGET / HTTP/1.1\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n",
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\n"}) {
      CAPTURE(request);
      Feed whole;
      CHECK_FALSE(whole.add(request));
      CHECK(whole.parser.problem().status == 400);
      CHECK(whole.parser.problem().cause == "a line ends with LF alone, and takes CR LF");
      Feed bytes;
      for (const char c : request) {
        if (bytes.parser.problem().status == 0) bytes.add(std::string(1, c));
      }
      CHECK(bytes.parser.problem().cause == whole.parser.problem().cause);
    }
  }
  SUBCASE("refuses a body whose end is not known") {
    for (const std::string fields :
         {"Transfer-Encoding: x", "Transfer-Encoding: ", "Transfer-Encoding: gzip, chunked",
          "Transfer-Encoding: chunked, identity", "Transfer-Encoding: chunked;q=1",
          "Transfer-Encoding: x\r\nContent-Length: 3", "Content-Length: 3\r\nTransfer-Encoding: x",
          "Transfer-Encoding: chunked\r\nContent-Length: 3",
          "Content-Length: 3\r\nTransfer-Encoding: chunked",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
          "Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "transfer-encoding:\tidentity",
          "Transfer-Encoding:\r\n chunked, x"}) {
      CAPTURE(fields);
      Feed feed;
      CHECK_FALSE(feed.add("POST / HTTP/1.1\r\n" + fields + "\r\n\r\n" + kGet));
      CHECK(feed.parser.problem().status == 400);
      CHECK(feed.parser.problem().cause.starts_with("its body has no one length"));
    }
    Feed old;
    CHECK_FALSE(old.add("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    CHECK(old.parser.problem().status == 400);
    Feed known;
    CHECK(known.add("POST / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"));
  }
  SUBCASE("takes a body up to the bound") {
    Feed feed;
    REQUIRE(feed.add("POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n" + std::string(65536, 'x')));
    CHECK(feed.parser.body().size() == 65536);
  }
}

TEST_CASE("RequestParser of a body that is handled while it arrives") {
  const std::string head = "POST /stream HTTP/1.1\r\nHost: x\r\n";
  Feed feed;
  feed.how = RequestParser::Body::kStreamed;
  std::string body;
  const auto add = [&](std::string_view piece) {
    const bool done = feed.add(piece);
    body += feed.parser.body();
    feed.parser.clear_body();
    return done;
  };

  SUBCASE("stops behind the head, and then gives what came of the body") {
    const std::string all = head + "Content-Length: 5\r\n\r\nab";
    CHECK(feed.parser.feed(all) == all.size() - 2);
    CHECK(feed.parser.head_done());
    CHECK_FALSE(feed.parser.done());
    feed.parser.take_body(feed.how);
    CHECK_FALSE(add("ab"));
    CHECK(body == "ab");
    CHECK_FALSE(add("c"));
    CHECK(body == "abc");
    CHECK(add("deGET"));
    CHECK(body == "abcde");
    CHECK(feed.left == "GET");
  }
  SUBCASE("leaves the lines of a body alone") {
    CHECK(add(head + "Content-Length: 4\r\n\r\na\nb\n"));
    CHECK(feed.parser.problem().status == 0);
    feed.parser.reset();
    CHECK_FALSE(add(head + "Transfer-Encoding: chunked\r\n\r\n4\r\na\nb\n"));
    CHECK(add("\r\n0\r\n\r\n"));
    CHECK(feed.parser.problem().status == 0);
    CHECK(body == "a\nb\na\nb\n");
  }
  SUBCASE("has no bound for the body") {
    const std::string much(3 * RequestParser::kMaxBodyBytes, 'x');
    CHECK_FALSE(add(head + "Content-Length: 1000000000\r\n\r\n"));
    CHECK_FALSE(add(much));
    CHECK(feed.parser.problem().status == 0);
    CHECK(body.size() == much.size());
  }
  SUBCASE("reads chunks however they are cut") {
    for (const char c :
         head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") {
      add({&c, 1});
    }
    CHECK(feed.parser.done());
    CHECK(body == "abcde");
  }
  SUBCASE("is done with the head where there is no body") { CHECK(add(head + "\r\n")); }
  SUBCASE("says what is no chunk, and keeps what came before it") {
    add(head + "Transfer-Encoding: chunked\r\n\r\n");
    add("3\r\nabc\r\nzz\r\n");
    CHECK(feed.parser.problem().status == 400);
    CHECK(body == "abc");
  }
  SUBCASE("keeps the bound for others, also behind such a one") {
    CHECK(add(head + "\r\n"));
    feed.parser.reset();
    feed.how = RequestParser::Body::kWhole;
    feed.add("POST /other HTTP/1.1\r\nContent-Length: 65537\r\n\r\n");
    CHECK(feed.parser.problem().status == 413);
  }
}
