#include "net/unix_gate.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string_view>

using namespace concur;

namespace {

Credentials of(Entrance entrance, std::optional<std::string_view> host,
               const BrowserFields& browser = {}) {
  return {.host = host, .key = {}, .browser = browser, .entrance = entrance};
}

}  // namespace

TEST_CASE("UnixGate") {
  UnixGate gate(Operators{});
  Caller client{Role::kClient, "uid 1000, pid 42", true};
  Caller op{Role::kOperator, "uid 0, pid 43", true};
  const BrowserFields other_page{.origin = "http://evil.example", .site = "cross-site"};

  SUBCASE("lets clients ask whatever their viewers' browsers sent") {
    for (const Entrance entrance : {Entrance::kApi, Entrance::kAuthorize, Entrance::kHook}) {
      CHECK_FALSE(gate.authorize(client, of(entrance, "site.example", other_page)));
    }
  }
  SUBCASE("takes from operators a Host that is this machine's") {
    for (const std::optional<std::string_view> host :
         std::initializer_list<std::optional<std::string_view>>{
             std::nullopt, "concur", "localhost:8080", "127.0.0.1", "[::1]:80", ""}) {
      CHECK_FALSE(gate.authorize(op, of(Entrance::kApi, host)));
    }
    for (const std::string_view host : {"evil.example", "evil.example:8080", "192.0.2.1"}) {
      const auto refusal = gate.authorize(op, of(Entrance::kApi, host));
      REQUIRE(refusal);
      CHECK(refusal->status == 403);
    }
  }
  SUBCASE("takes from operators' browsers what a page from here sends") {
    CHECK_FALSE(gate.authorize(op, of(Entrance::kApi, "localhost:8080", {.site = "same-origin"})));
    CHECK_FALSE(gate.authorize(op, of(Entrance::kOpen, "localhost:8080", {.site = "none"})));
    CHECK(gate.authorize(op, of(Entrance::kApi, "localhost:8080", {.site = "none"})));
    CHECK(gate.authorize(op, of(Entrance::kApi, "localhost:8080", other_page)));
  }
  SUBCASE("a refusal of what proxies and media servers ask is no denial") {
    for (const Entrance entrance : {Entrance::kAuthorize, Entrance::kHook}) {
      CHECK(gate.authorize(op, of(entrance, "localhost", other_page))->status == 503);
      CHECK(gate.authorize(op, of(entrance, "site.example"))->status == 503);
    }
  }
}
