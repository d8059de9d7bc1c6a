#include "net/tcp_gate.hpp"

#include "support/captured_log.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string_view>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

const std::string kOne(32, '1');
const std::string kTwo(32, '2');

struct Door {
  Caller come() { return gate.identify(-1); }

  test::FakeClock clock;
  Logger log{LogLevel::kWarning, LogFormat::kText};
  TcpGate gate;
};

Credentials with(std::string_view key) { return {"10.0.0.1", key}; }
Credentials bearing(std::string_view token, std::optional<std::string_view> key = {}) {
  return {"10.0.0.1", key, {}, token};
}
Credentials at(Entrance entrance, std::optional<std::string_view> host = "localhost") {
  return {.host = host, .key = {}, .entrance = entrance};
}
Credentials sent_by(const BrowserFields& browser, Credentials credentials) {
  credentials.browser = browser;
  return credentials;
}

}  // namespace

TEST_CASE("TcpGate with keys") {
  const test::CapturedLog captured;
  const std::vector<ApiKey> keys{{"one", Role::kClient, kOne}, {"two", Role::kOperator, kTwo}};
  Door door{{},
            Logger{LogLevel::kWarning, LogFormat::kText},
            TcpGate(KeyRing(keys), door.clock, door.log)};
  Caller caller = door.come();
  CHECK_FALSE(caller.known);
  CHECK(caller.role == Role::kMetrics);
  SUBCASE("each request is made in the role of its key, whatever the host") {
    CHECK_FALSE(door.gate.authorize(caller, with(kOne)));
    CHECK(caller.known);
    CHECK(caller.role == Role::kClient);
    CHECK(caller.name == "key one from somewhere");
    CHECK_FALSE(door.gate.authorize(caller, with(kTwo)));
    CHECK(caller.role == Role::kOperator);
  }
  SUBCASE("a bearer token is one where there is no other") {
    CHECK_FALSE(door.gate.authorize(caller, bearing(kOne)));
    CHECK(caller.role == Role::kClient);
    CHECK_FALSE(door.gate.authorize(caller, bearing(kOne, kTwo)));
    CHECK(caller.role == Role::kOperator);
    CHECK(door.gate.authorize(caller, bearing(kOne, "")));
    const auto wrong = door.gate.authorize(caller, bearing("x"));
    REQUIRE(wrong);
    CHECK(wrong->delayed);
    CHECK(wrong->cause == "its bearer token is not one of the daemon's keys");
  }
  SUBCASE("none and a wrong one are refused with delay, as long as there are permits") {
    std::vector<Refusal> waiting;
    for (std::size_t i = 0; i < TcpGate::kMaxDelayed; ++i) {
      auto refusal = i % 2 == 0 ? door.gate.authorize(caller, with("no key"))
                                : door.gate.authorize(caller, {});
      REQUIRE(refusal);
      CHECK(refusal->delayed);
      CHECK(refusal->permit);
      waiting.push_back(std::move(*refusal));
    }
    CHECK_FALSE(door.gate.authorize(caller, {})->permit);
    CHECK_FALSE(door.gate.authorize(caller, with(kOne)));
    waiting.pop_back();
    CHECK(door.gate.authorize(caller, {})->permit);
    CHECK(captured.lines(door.log).size() == 10);
    door.clock.tick(60s);
    door.gate.authorize(caller, {});
    CHECK(captured.lines(door.log).back().ends_with("(56 more were refused before)"));
  }
  SUBCASE("other keys: whose key is gone is valid no more") {
    CHECK_FALSE(door.gate.authorize(caller, with(kOne)));
    CHECK(door.gate.is_still_valid(caller));
    door.gate.set_keys(KeyRing({keys[0]}));
    CHECK(door.gate.is_still_valid(caller));
    door.gate.set_keys(KeyRing({keys[1]}));
    CHECK_FALSE(door.gate.is_still_valid(caller));
    CHECK(door.gate.authorize(caller, with(kOne)));
    CHECK(door.gate.is_still_valid(door.come()));
  }
  SUBCASE("what a page sends is refused at once, with a key too") {
    const auto refusal =
        door.gate.authorize(caller, sent_by({.site = "cross-site"}, {"localhost", kOne}));
    REQUIRE(refusal);
    CHECK_FALSE(refusal->delayed);
    CHECK(refusal->status == 403);
  }
  SUBCASE("a page of its own may ask with a key, whatever the host, and so may a person") {
    const Credentials by_key = with(kOne);
    CHECK_FALSE(door.gate.authorize(caller, sent_by({.site = "same-origin"}, by_key)));
    CHECK_FALSE(door.gate.authorize(caller, sent_by({.origin = "https://10.0.0.1"}, by_key)));
    CHECK_FALSE(door.gate.authorize(caller, sent_by({.site = "none"}, by_key)));
    CHECK(door.gate.authorize(caller, sent_by({.origin = "https://10.0.0.2"}, by_key)));
    CHECK(door.gate.authorize(caller, sent_by({.site = "same-origin"}, with("no key")))->delayed);
  }
  SUBCASE("of proxies and media servers what viewers' browsers sent is taken, with a key") {
    for (const Entrance entrance : {Entrance::kAuthorize, Entrance::kHook}) {
      Credentials by_key = with(kOne);
      by_key.entrance = entrance;
      const BrowserFields viewer{"https://site.example", "cross-site", true};
      CHECK_FALSE(door.gate.authorize(caller, sent_by(viewer, by_key)));
      const auto refusal = door.gate.authorize(caller, sent_by(viewer, at(entrance)));
      REQUIRE(refusal);
      CHECK(refusal->delayed);
      CHECK(refusal->status == 503);
    }
  }
  SUBCASE("what anybody may read takes no key, but no wrong one either") {
    CHECK_FALSE(door.gate.authorize(caller, at(Entrance::kOpen)));
    CHECK_FALSE(door.gate.authorize(caller, at(Entrance::kOpen, "10.0.0.1")));
    Credentials wrong = with("no key");
    wrong.entrance = Entrance::kOpen;
    CHECK(door.gate.authorize(caller, wrong));
  }
}

TEST_CASE("TcpGate without keys") {
  const test::CapturedLog captured;
  Door door{{},
            Logger{LogLevel::kWarning, LogFormat::kText},
            TcpGate(std::nullopt, door.clock, door.log)};
  Caller caller = door.come();
  CHECK(caller.role == Role::kClient);
  CHECK_FALSE(door.gate.authorize(caller, {"localhost:80", std::nullopt}));
  CHECK_FALSE(door.gate.authorize(caller, {"127.0.0.1", "any"}));
  CHECK(door.gate.authorize(caller, {"example.org", std::nullopt}));
  CHECK(door.gate.authorize(caller, {std::nullopt, std::nullopt}));
  const Credentials here{"localhost:80", std::nullopt};
  SUBCASE("a page may ask that came from here") {
    CHECK_FALSE(door.gate.authorize(caller, sent_by({.site = "same-origin"}, here)));
    CHECK_FALSE(door.gate.authorize(
        caller, sent_by({.origin = "http://localhost:80", .site = "same-origin"}, here)));
    for (const BrowserFields& other :
         std::vector<BrowserFields>{{.origin = "http://localhost"},
                                    {.origin = "null"},
                                    {.origin = ""},
                                    {.site = "cross-site"},
                                    {.site = "same-site"},
                                    {.site = ""},
                                    {.origin = "http://localhost:80", .site = "cross-site"},
                                    {.origin = "http://evil.example", .site = "same-origin"}}) {
      CHECK(door.gate.authorize(caller, sent_by(other, here)));
    }
    // As after DNS rebinding: it is its own origin, and its Host is not ours.
    CHECK(door.gate.authorize(caller,
                              sent_by({.origin = "http://evil.example", .site = "same-origin"},
                                      {"evil.example", std::nullopt})));
  }
  SUBCASE("a person's address bar, or a link, leads to what anybody may read alone") {
    const BrowserFields typed{.site = "none", .navigates = true};
    const BrowserFields link{.site = "cross-site", .navigates = true};
    for (const BrowserFields& person : {typed, link}) {
      CHECK(door.gate.authorize(caller, sent_by(person, here)));
      CHECK_FALSE(door.gate.authorize(caller, sent_by(person, at(Entrance::kOpen))));
    }
    CHECK(door.gate.authorize(caller, sent_by({.site = "cross-site"}, at(Entrance::kOpen))));
    CHECK(door.gate.authorize(caller, at(Entrance::kOpen, "evil.example")));
  }
  SUBCASE("of proxies and media servers the Host alone counts, and its refusal is no denial") {
    const BrowserFields viewer{"https://site.example", "cross-site", true};
    for (const Entrance entrance : {Entrance::kAuthorize, Entrance::kHook}) {
      CHECK_FALSE(door.gate.authorize(caller, sent_by(viewer, at(entrance))));
      const auto refusal = door.gate.authorize(caller, at(entrance, "site.example"));
      REQUIRE(refusal);
      CHECK(refusal->status == 503);
      CHECK_FALSE(refusal->delayed);
    }
  }
}
