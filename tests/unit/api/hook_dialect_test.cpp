#include "api/hook_dialect.hpp"

#include "api/api.hpp"
#include "support/captured_log.hpp"
#include "support/fake_service.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

Response answered(std::string_view dialect, const HookOutcome& outcome) {
  return find_hook_dialect(dialect)->answer(outcome);
}

std::vector<int> statuses(std::string_view dialect) {
  using Kind = HookOutcome::Kind;
  std::vector<int> all;
  for (const Kind kind : {Kind::kAllowed, Kind::kDone, Kind::kPassed, Kind::kDenied,
                          Kind::kUnknownUser, Kind::kUndecided}) {
    all.push_back(answered(dialect, {kind, "why"}).status);
  }
  return all;
}

}  // namespace

TEST_CASE("outcome_of") {
  using Kind = HookOutcome::Kind;
  Granted granted;
  granted.user = "abc";
  granted.heartbeat_interval = 30s;
  const HookOutcome allowed = outcome_of(Answer(granted));
  CHECK(allowed.kind == Kind::kAllowed);
  CHECK(allowed.ask_again == Millis(30s));
  CHECK(outcome_of(Answer(Denied{"abc", "s", 3, 4, 3, {}, {}})).kind == Kind::kDenied);
  CHECK(outcome_of(Answer(Throttled{"abc", "s", 1, 1, 1s})).kind == Kind::kDenied);
  CHECK(outcome_of(Answer(Gone{"abc", "s"})).kind == Kind::kDenied);
  CHECK(outcome_of(Answer(Ended{"abc", "s", true, 0, {}})).kind == Kind::kDone);
  CHECK(outcome_of(Answer(Refused{{ErrorKind::kUnavailable, "x"}})).kind == Kind::kUndecided);
  CHECK(outcome_of(Error{ErrorKind::kTimeout, "x"}).kind == Kind::kUndecided);
  CHECK(outcome_of(Answer(PlanList{})).kind == Kind::kUndecided);
}

TEST_CASE("What each media server is answered") {
  CHECK(statuses("srs") == std::vector<int>{200, 200, 200, 403, 401, 503});
  CHECK(statuses("nginx-rtmp") == std::vector<int>{200, 200, 200, 403, 401, 503});
  CHECK(statuses("flussonic") == std::vector<int>{200, 200, 200, 403, 403, 503});
  CHECK(statuses("mediamtx") == std::vector<int>{204, 204, 204, 403, 401, 503});
  SUBCASE("SRS reads a code") {
    CHECK(answered("srs", {HookOutcome::Kind::kAllowed}).body == "{\"code\":0}");
    CHECK(answered("srs", {HookOutcome::Kind::kDenied, "too many"}).body ==
          "{\"code\":403,\"msg\":\"too many\"}");
  }
  SUBCASE("Flussonic asks again when it is told to") {
    CHECK(answered("flussonic", {HookOutcome::Kind::kAllowed, {}, "a b", Millis(30500)}).headers ==
          "X-AuthDuration: 30\r\nX-UserId: a%20b\r\n");
    CHECK(answered("flussonic", {HookOutcome::Kind::kAllowed, {}, "abc", Millis(300)}).headers ==
          "X-AuthDuration: 1\r\nX-UserId: abc\r\n");
    CHECK(answered("flussonic", {HookOutcome::Kind::kDenied}).headers ==
          "X-Content-Type-Options: nosniff\r\nX-AuthDuration: 10\r\n");
    CHECK(answered("flussonic", {HookOutcome::Kind::kUndecided}).headers == "Retry-After: 1\r\n");
  }
}

namespace {

struct HookFixture {
  int ask(std::string_view target, std::string_view body, Role role = Role::kClient) {
    Call call;
    call.request = {"POST", target, {}, role, "uid 1, pid 2"};
    api.begin(call);
    call.request.body = body;
    int status = 0;
    api.handle(call, [&status](Response&& response) { status = response.status; });
    if (!service.waiting.empty()) service.answer_oldest();
    return status;
  }

  test::FakeService service;
  test::FakeClock clock;
  Logger log{LogLevel::kWarning, LogFormat::kText};
  ClientMemory memory{clock, log};
  EventLog events;
  Api api{service, events, memory, clock, log};
};

constexpr std::string_view kPlay =
    R"({"action":"on_play","client_id":"1","app":"a","stream":"b","param":"?user=abc"})";

}  // namespace

TEST_CASE("Api at /v1/hooks/") {
  const test::CapturedLog captured;
  HookFixture fixture;
  SUBCASE("asks the service, and answers as the dialect says") {
    CHECK(fixture.ask("/v1/hooks/srs", kPlay) == 200);
    CHECK(fixture.service.submitted == 1);
    CHECK(fixture.ask("/v1/hooks/srs", R"({"action":"on_publish","client_id":"1"})") == 200);
    CHECK(fixture.ask("/v1/hooks/mediamtx", R"({"action":"api"})") == 401);
    CHECK(fixture.service.submitted == 1);
  }
  SUBCASE("knows the dialects there are") {
    CHECK(fixture.ask("/v1/hooks/wowza", kPlay) == 404);
    CHECK(fixture.ask("/v1/hooks/", kPlay) == 404);
    CHECK(fixture.ask("/v1/hooks/srs/x", kPlay) == 404);
  }
  SUBCASE("refuses who says not who watches, and warns once a minute") {
    for (int i = 0; i < 3; ++i) {
      CHECK(fixture.ask("/v1/hooks/srs", R"({"action":"on_play","client_id":"1"})") == 401);
    }
    CHECK(fixture.ask("/v1/hooks/srs", R"({"action":"on_play","param":"?user=abc"})") == 401);
    CHECK(captured.lines(fixture.log).size() == 1);
    fixture.clock.tick(60s);
    CHECK(fixture.ask("/v1/hooks/srs?user=abc", kPlay) == 503);
    CHECK(captured.lines(fixture.log).back().find("(3 more were refused before)") !=
          std::string::npos);
    CHECK(fixture.ask("/v1/hooks/srs", R"({"action":"on_stop"})") == 200);
    CHECK(fixture.service.submitted == 0);
  }
  SUBCASE("a role that is too low is no denial") {
    CHECK(fixture.ask("/v1/hooks/srs", kPlay, Role::kMetrics) == 503);
    CHECK(fixture.service.submitted == 0);
  }
}
