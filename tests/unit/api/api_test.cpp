#include "api/api.hpp"

#include "support/fake_service.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using test::FakeClock;
using test::FakeService;

namespace {

struct Fixture {
  Response ask(std::string_view method, std::string_view target, Role role = Role::kOperator,
               std::string_view body = "") {
    Call call;
    call.request = {method, target, {}, role, "uid 1, pid 2"};
    api.begin(call);
    call.request.body = body;
    Response given;
    api.handle(call, [&given](Response&& response) { given = std::move(response); });
    return given;
  }

  FakeService service;
  FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  ClientMemory memory{clock, log};
  EventLog events;
  Api api{service, events, memory, clock, log};
};

}  // namespace

TEST_CASE("Api::begin prefetches the user whom a request is about, and decides nothing") {
  Fixture fixture;
  Call call;
  for (const auto& [method, target] : std::vector<std::pair<const char*, const char*>>{
           {"PUT", "/v1/users/ada/sessions/s1"},
           {"POST", "/v1/users/b%6Fb/sessions/s1/heartbeat"},
           {"GET", "/startSession/userId/eve/sessionId/s1"},
           {"GET", "/v1/users/ada/sessions/s1"},
           {"GET", "/v1/status"},
           {"GET", "/v1/plans/gold"},
           {"PUT", "/%"},
           {"OPTIONS", "*"}}) {
    call.request = {method, target, {}, Role::kOperator, "uid 1, pid 2"};
    fixture.api.begin(call);
  }
  CHECK(fixture.service.prefetched == std::vector<std::string>{"ada", "bob", "eve"});
  CHECK(fixture.service.submitted == 0);
}

TEST_CASE("Api::begin says how a body is taken, however its path is spelt") {
  Fixture fixture;
  Call call;
  for (const auto& [method, target, streams] :
       std::vector<std::tuple<const char*, const char*, bool>>{{"POST", "/v1/batch", true},
                                                               {"POST", "/v1/b%61tch?x=1", true},
                                                               {"PUT", "/v1/batch", false},
                                                               {"POST", "/v1/purge", false},
                                                               {"POST", "/v1/nothing", false}}) {
    CAPTURE(target);
    call.request = {method, target, {}, Role::kOperator, "uid 1, pid 2"};
    fixture.api.begin(call);
    CHECK(call.streams == streams);
  }
}

TEST_CASE("Api answers HEAD wherever it answers GET") {
  Fixture fixture;
  CHECK(fixture.ask("HEAD", "/v1/plans").status == fixture.ask("GET", "/v1/plans").status);
  CHECK(fixture.ask("HEAD", "/healthz").body == fixture.ask("GET", "/healthz").body);
  CHECK(fixture.ask("HEAD", "/v1/events?user=u").source);
  CHECK(fixture.ask("HEAD", "/v1/sessions", Role::kClient).status == 403);
  CHECK(fixture.ask("HEAD", "/v1/nothing").status == 404);
  const std::size_t before = fixture.service.submitted;
  fixture.ask("HEAD", "/startSession/userId/u/sessionId/s");
  CHECK(fixture.service.submitted == before + 1);
  const Response none = fixture.ask("HEAD", "/v1/purge");
  CHECK(none.status == 405);
  CHECK(none.headers == "Allow: POST, OPTIONS\r\n");
}

TEST_CASE("Api refuses what a route does not know") {
  Fixture fixture;
  const auto status = [&fixture](std::string_view method, std::string_view target,
                                 std::string_view body = "") {
    const Response response = fixture.ask(method, target, Role::kOperator, body);
    const bool is_unknown = response.body.find("not known here") != std::string::npos ||
                            response.body.find("none belongs to this request") != std::string::npos;
    return is_unknown ? response.status : 0;
  };
  SUBCASE("a parameter in the query") {
    for (const Route& route : Api::routes()) {
      std::string target;
      for (const std::string_view segment : route.pattern.segments()) {
        target += segment.starts_with('{') ? "/x" : "/" + std::string(segment);
      }
      CAPTURE(target);
      CHECK(status(route.method, target) == 0);
      CHECK(status(route.method, target + "?") == 0);
      CHECK(status(route.method, target + "?mistyped=1") == (route.takes.ignores_others ? 0 : 400));
      CHECK(status(route.method, target, "{\"mistyped\":1}") ==
            (route.takes.ignores_others || route.takes.body ? 0 : 400));
      CHECK(status(route.method, target, "{}") == 0);
    }
    CHECK(status("GET", "/v1/sessions?after=x&limit=1&&") == 0);
    CHECK(status("HEAD", "/v1/sessions?limits=1") == 400);
    CHECK(status("GET", "/v1/sessions?=1") == 400);
    CHECK(fixture.ask("GET", "/healthz?a%00b=1").body.find("parameter '...'") != std::string::npos);
  }
  SUBCASE("a body where none belongs; {} and null are none") {
    for (const char* none : {"{}", "null", " { } \r\n", "\n", "\xEF\xBB\xBF{}"}) {
      CAPTURE(none);
      CHECK(status("POST", "/v1/users/u/sessions/s/heartbeat", none) == 0);
      CHECK(status("DELETE", "/v1/users/u/limit", none) == 0);
      CHECK(status("GET", "/healthz", none) == 0);
    }
    for (const char* one : {"[]", "0", "{\"a\":1}", "x", "{", "nullnull", "{}{}"}) {
      CAPTURE(one);
      CHECK(status("DELETE", "/v1/users/u/sessions/s", one) == 400);
      CHECK(status("POST", "/v1/users/u/sessions/s/end", one) == 0);
      CHECK(status("GET", "/startSession/userId/u/sessionId/s", one) == 0);
    }
    const std::size_t before = fixture.service.submitted;
    fixture.ask("PUT", "/v1/users/u/sessions/s", Role::kClient, "null");
    CHECK(fixture.service.submitted == before + 1);
  }
  SUBCASE("not before it is known who may") {
    CHECK(fixture.ask("GET", "/v1/report?mistyped=1", Role::kClient).status == 403);
    CHECK(fixture.ask("GET", "/nothing?mistyped=1", Role::kClient).status == 404);
  }
}

TEST_CASE("Api lets a start wait that says for how long, until whoever asks is gone") {
  struct Waits final : FakeService {
    Place submit_waiting(const Start& start, Millis wait, const Now& now, Reply reply) override {
      waited = wait;
      submit(start, now, std::move(reply));
      return is_answered ? kNoPlace : 7;
    }
    void leave(Place place) override { left = place; }
    Millis waited{-1};
    Place left = kNoPlace;
    bool is_answered = false;
  };
  struct Someone final : Asker {
    void on_gone(Callback<void()> call) override { gone = std::move(call); }
    Callback<void()> gone;
  };
  Waits service;
  FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  ClientMemory memory{clock, log};
  EventLog events;
  Api api{service, events, memory, clock, log};
  Someone someone;
  int answered = 0;
  const auto ask = [&](const char* method, const char* target, const char* body) {
    Call call;
    call.request = {method, target, {}, Role::kClient, "uid 1, pid 2"};
    call.asker = &someone;
    api.begin(call);
    call.request.body = body;
    api.handle(call, [&answered](Response&& response) { answered = response.status; });
  };

  SUBCASE("with wait") {
    ask("PUT", "/v1/users/u/sessions/s", R"({"wait":2.5})");
    CHECK(service.waited == 2500ms);
    CHECK(answered == 0);
    REQUIRE(someone.gone);
    someone.gone();
    CHECK(service.left == 7);
    service.answer_oldest();
    CHECK(answered == 201);
  }
  SUBCASE("with wait, where it is answered at once") {
    service.is_answered = true;
    ask("PUT", "/v1/users/u/sessions/s", R"({"wait":2.5})");
    CHECK_FALSE(someone.gone);
  }
  SUBCASE("not without wait, and nobody else") {
    ask("PUT", "/v1/users/u/sessions/s", R"({"ttl":60})");
    ask("PUT", "/v1/users/u/sessions/s", "");
    ask("GET", "/startSession/userId/u/sessionId/s", "");
    ask("GET", "/v1/authorize?user=u&session=s&wait=5", "");
    CHECK(service.waited == -1ms);
    CHECK_FALSE(someone.gone);
  }
}

TEST_CASE("Api asks proxies to pass on what goes on for long as it comes") {
  Fixture fixture;
  CHECK(fixture.ask("GET", "/v1/events").headers == "X-Accel-Buffering: no\r\n");
  CHECK(fixture.ask("POST", "/v1/batch").headers == "X-Accel-Buffering: no\r\n");
  CHECK(fixture.ask("GET", "/v1/status").headers.empty());
}

TEST_CASE("Api lists in the status what takes long and how far it is") {
  Fixture fixture;
  CHECK(fixture.ask("GET", "/v1/status").body.find(R"("work":[],)") != std::string::npos);
  fixture.service.work = {{.what = "backup", .done = 5, .total = 9},
                          {.what = "purge", .unit = "users", .done = 3}};
  CHECK(fixture.ask("GET", "/v1/status")
            .body.find(R"("work":[{"what":"backup","unit":"bytes","done":5,"total":9},)"
                       R"({"what":"purge","unit":"users","done":3}],)") != std::string::npos);
}

TEST_CASE("Api answers OPTIONS with the methods of a path, whoever asks") {
  Fixture fixture;
  const Response plan = fixture.ask("OPTIONS", "/v1/plans/gold", Role::kMetrics);
  CHECK(plan.status == 204);
  CHECK(plan.body.empty());
  CHECK(plan.headers == "Allow: GET, HEAD, PUT, DELETE, OPTIONS\r\n");
  CHECK(fixture.ask("OPTIONS", "/v1/users/u/sessions/s").headers ==
        "Allow: PUT, DELETE, OPTIONS\r\n");
  const Response all = fixture.ask("OPTIONS", "*");
  CHECK(all.status == 204);
  CHECK(all.headers == "Allow: POST, PUT, DELETE, GET, HEAD, OPTIONS\r\n");
  const Response root = fixture.ask("OPTIONS", "/");
  CHECK(root.status == 204);
  CHECK(root.headers == "Allow: GET, HEAD, OPTIONS\r\n");
  CHECK(fixture.ask("OPTIONS", "/v1/nothing").status == 404);
  CHECK(fixture.ask("OPTIONS", "/%").status == 400);
  CHECK(fixture.ask("GET", "*").status == 400);
  CHECK(fixture.service.submitted == 0);
}

TEST_CASE("Api shows its page to anybody, and what is not a file of it to nobody") {
  Fixture fixture;
  const Response page = fixture.ask("GET", "/", Role::kMetrics);
  CHECK(page.status == 200);
  CHECK(page.content_type == "text/html; charset=utf-8");
  CHECK(fixture.ask("GET", "/page/page.css", Role::kMetrics).content_type ==
        "text/css; charset=utf-8");
  CHECK(fixture.ask("GET", "/page/main.js", Role::kMetrics).content_type ==
        "text/javascript; charset=utf-8");
  for (const char* none : {"/page/", "/page", "/page/nothing", "/page/main.js/x", "//"}) {
    CAPTURE(none);
    CHECK(fixture.ask("GET", none).status == 404);
  }
  CHECK(fixture.ask("GET", "/?x=1").status == 400);
  CHECK(fixture.ask("POST", "/").status == 405);
}

TEST_CASE("Api shows the history as the clock goes, to operators") {
  Fixture fixture;
  const auto samples = [&fixture](const char* target) {
    const std::string body = fixture.ask("GET", target).body;
    std::size_t count = 0;
    for (std::size_t at = 0; (at = body.find("\"at\"", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(fixture.api.sample() == History::kStep);
  fixture.clock.tick(9s);
  CHECK(samples("/v1/history") == 0);
  CHECK(fixture.api.sample() == 1s);
  for (int i = 0; i < 400; ++i) {
    fixture.clock.tick(10s);
    fixture.api.sample();
  }
  CHECK(samples("/v1/history?since=6h") == 400);
  CHECK(samples("/v1/history") == 360);
  CHECK(samples("/v1/history?since=1m") == 6);
  CHECK(fixture.ask("GET", "/v1/history?since=7h").status == 400);
  CHECK(fixture.ask("GET", "/v1/history?since=x").status == 400);
  CHECK(fixture.ask("GET", "/v1/history", Role::kClient).status == 403);
}

TEST_CASE("Api shows the configuration in force to operators") {
  Fixture fixture;
  CHECK(fixture.ask("GET", "/v1/settings").body == "{\"settings\":[]}\n");
  DaemonInfo info;
  info.settings = [] { return std::vector<SettingInForce>{{"limit", "3", "default"}}; };
  fixture.api.set_info(info);
  CHECK(fixture.ask("GET", "/v1/settings").body ==
        "{\"settings\":[{\"name\":\"limit\",\"value\":\"3\",\"from\":\"default\"}]}\n");
  CHECK(fixture.ask("GET", "/v1/settings", Role::kClient).status == 403);
}

TEST_CASE("Api says in its status who asks") {
  Fixture fixture;
  CHECK(fixture.ask("GET", "/v1/status").body.find("\"role\":\"operator\"") != std::string::npos);
  CHECK(fixture.ask("GET", "/v1/status", Role::kClient).body.find("\"role\":\"client\"") !=
        std::string::npos);
}
