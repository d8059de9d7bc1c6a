#include "api/route.hpp"

#include "api/api.hpp"

#include <doctest/doctest.h>

using namespace concur;

namespace {

struct Found {
  std::string_view pattern;
  std::vector<std::string> names;
  std::string allowed;
};

Found find(std::string_view method, std::string_view path) {
  const auto target = Target::parse(path);
  REQUIRE(target.has_value());
  Names names;
  const Route* found = match(Api::routes(), method, *target, names);
  if (found == nullptr) return {"", {}, allowed_methods(Api::routes(), *target)};
  return {found->pattern.text(), {names.begin(), names.end()}, ""};
}

}  // namespace

TEST_CASE("match") {
  SUBCASE("finds the route by method and path, and the names in it") {
    const Found found = find("PUT", "/v1/users/a%2Fb/sessions/s1");
    CHECK(found.pattern == "/v1/users/{user}/sessions/{session}");
    CHECK(found.names == std::vector<std::string>{"a/b", "s1"});
    CHECK(find("POST", "/v1/users/u/sessions/s/heartbeat").pattern.ends_with("/heartbeat"));
    CHECK(find("GET", "/startSession/userId//sessionId/").names ==
          std::vector<std::string>{"", ""});
  }
  SUBCASE("finds for HEAD what it finds for GET") {
    CHECK(find("HEAD", "/healthz").pattern == "/healthz");
    CHECK(find("HEAD", "/").pattern == "/");
    CHECK(find("HEAD", "/v1/purge").pattern.empty());
  }
  SUBCASE("where there is none, names the methods that the path takes") {
    CHECK(find("GET", "/v1/users/u/sessions/s").allowed == "PUT, DELETE, OPTIONS");
    CHECK(find("DELETE", "/healthz").allowed == "GET, HEAD, OPTIONS");
  }
  SUBCASE("finds nothing for other paths") {
    for (const char* path :
         {"/v1", "/v1/users", "/v1/users/u/sessions/s/heartbeat/", "/V1/sessions", "/v1/sessions/",
          "//v1/sessions", "/healthz/x", "/startSession/userId/u"}) {
      CAPTURE(path);
      const Found found = find("GET", path);
      CHECK(found.pattern.empty());
      CHECK(found.allowed.empty());
    }
  }
}
