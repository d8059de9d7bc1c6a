#include "net/response_head.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

namespace {

std::string head_of(const Response& response, Framing framing, bool keep_alive) {
  std::string out = "before;";
  append_head(out, response, framing, keep_alive);
  return out;
}

}  // namespace

TEST_CASE("append_head") {
  SUBCASE("says how long the body is") {
    CHECK(head_of({200, "12345"}, Framing::kLength, true) ==
          "before;HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
          "Keep-Alive: timeout=75\r\n\r\n");
  }
  SUBCASE("says that it comes in chunks, or ends with the connection") {
    CHECK(head_of({200, "", "text/plain"}, Framing::kChunked, true) ==
          "before;HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: "
          "chunked\r\nKeep-Alive: timeout=75\r\n\r\n");
    CHECK(head_of({200, "", "text/plain"}, Framing::kClose, false) ==
          "before;HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
  }
  SUBCASE("has the response's own fields") {
    CHECK(head_of({503, "", "text/plain", "Retry-After: 1\r\n"}, Framing::kLength, true)
              .ends_with("Content-Length: 0\r\nRetry-After: 1\r\nKeep-Alive: timeout=75\r\n\r\n"));
  }
  SUBCASE("of an answer without content has neither type nor length") {
    CHECK(head_of({204, "", "text/plain", "Allow: GET\r\n"}, Framing::kLength, true) ==
          "before;HTTP/1.1 204 No Content\r\nAllow: GET\r\nKeep-Alive: timeout=75\r\n\r\n");
  }
  SUBCASE("knows the statuses that are answered with, and takes any other for a bug") {
    for (const int status :
         {200, 201, 400, 403, 404, 405, 408, 409, 410, 413, 429, 431, 500, 501, 503, 505}) {
      CHECK(head_of({status, ""}, Framing::kLength, true)
                .starts_with("before;HTTP/1.1 " + std::to_string(status) + ' '));
    }
    CHECK(head_of({777, ""}, Framing::kLength, true).starts_with("before;HTTP/1.1 500 "));
  }
}

TEST_CASE("append_chunk says in hexadecimal how long the part is") {
  std::string out;
  append_chunk(out, std::string(26, 'x'));
  CHECK(out == "1a\r\n" + std::string(26, 'x') + "\r\n");
}
