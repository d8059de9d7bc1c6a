#include "api/authorize.hpp"

#include "api/api.hpp"
#include "base/text.hpp"
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

Asked asked(std::string_view target, const std::vector<Field>& fields = {},
            const AuthorizeConfig& config = {}) {
  Request request;
  request.target = target;
  request.fields = fields;
  return read_asked(config, request);
}

}  // namespace

TEST_CASE("read_asked, where nothing is set,") {
  SUBCASE("reads the query, else the fields of the header") {
    const Asked of_query =
        asked("/v1/authorize?user=abc&session=s1&device=tv&ip=192.0.2.1&content=c");
    CHECK(of_query.user == "abc");
    CHECK(of_query.session == "s1");
    CHECK(of_query.details == Details{"tv", "192.0.2.1", "c", ""});
    const Asked of_header = asked("/v1/authorize", {{"x-concur-user", "abc"},
                                                    {"x-concur-session", "s1"},
                                                    {"x-concur-device", "tv"},
                                                    {"x-concur-ip", "[2001:db8::1]:443"},
                                                    {"x-concur-content", "c"}});
    CHECK(of_header.user == "abc");
    CHECK(of_header.session == "s1");
    CHECK(of_header.details == Details{"tv", "2001:db8::1", "c", ""});
  }
  SUBCASE("knows players by what they say of themselves") {
    CHECK(asked("/v1/authorize", {{"x-playback-session-id", "AV-1"}}).session == "AV-1");
    CHECK(asked("/v1/authorize", {{"cmcd-session", "sid=\"cm\""}, {"x-playback-session-id", "AV"}})
              .session == "cm");
    const std::vector<Field> by_uri{
        {"x-original-uri", "/a.ts?CMCD=cid%3D%22c%22%2Csid%3D%22cm%22"}};
    CHECK(asked("/v1/authorize", by_uri).session == "cm");
    CHECK(asked("/v1/authorize", by_uri).details.content == "c");
  }
  SUBCASE("finds type and kind, which become the session's meta") {
    CHECK(asked("/v1/authorize?type=tv&kind=live").details.meta ==
          R"({"type":"tv","kind":"live"})");
    CHECK(asked("/v1/authorize", {{"x-concur-type", "a\"b"}}).details.meta == R"({"type":"a\"b"})");
    for (const auto& [sent, kind] : {std::pair{"l", "live"}, {"ll", "live"}, {"v", "vod"}}) {
      const auto meta = text::format("{{\"kind\":\"{}\"}}", kind);
      const auto field = text::format("sid=\"cm\",st={}", sent);
      CHECK(asked("/v1/authorize", {{"cmcd-session", field}}).details.meta == meta);
      const auto uri = text::format("/a.ts?CMCD=sid%3D%22cm%22%2Cst%3D{}", sent);
      CHECK(asked("/v1/authorize", {{"x-original-uri", uri}}).details.meta == meta);
    }
    CHECK(asked("/v1/authorize?type=&kind=%ff").details.meta.empty());
    const std::string much(400, '"');
    CHECK(asked("/v1/authorize", {{"x-concur-type", much}, {"x-concur-kind", much}})
              .details.meta.size() < 600);
  }
  SUBCASE("finds the viewer's URI behind the path, and no query of its own then") {
    const std::string tail = "/v1/authorize/live/x.ts?user=eve&CMCD=sid%3D%22cm%22";
    const Asked of_tail =
        asked(tail, {{"x-concur-user", "abc"}, {"x-original-uri", "/y?CMCD=sid%3D%22other%22"}});
    CHECK(of_tail.user == "abc");
    CHECK(of_tail.session == "cm");
  }
  SUBCASE("takes what is said twice as not said, of who and of which session") {
    CHECK(asked("/v1/authorize?user=abc&user=eve").user == "");
    CHECK(asked("/v1/authorize?user=abc&session=1&session=2").session == "");
    CHECK(asked("/v1/authorize", {{"x-concur-user", "abc"}, {"x-concur-user", "eve"}}).user == "");
    CHECK(asked("/v1/authorize?user=", {{"x-concur-user", "abc"}}).user == "");
    CHECK(asked("/v1/authorize?device=1&device=2").details.device == "1");
  }
  SUBCASE("takes no attribute that is no text, and cuts the long ones") {
    const Asked odd = asked("/v1/authorize?device=%ff&ip=a%0ab&content=%00");
    CHECK(odd.details.empty());
    const std::string much(400, 'x');
    const Asked cut = asked("/v1/authorize?device=" + much + "&content=" + much + "&ip=" + much);
    CHECK(cut.details.device.size() == 256);
    CHECK(cut.details.content == much.substr(0, 256));
    CHECK(cut.details.ip == much.substr(0, 256));
  }
}

TEST_CASE("read_asked with other sources") {
  AuthorizeConfig config;
  config.user = *parse_sources("cookie:account");
  config.session = *parse_sources("path:2");
  config.device = *parse_sources("hash:ip,user-agent");
  config.ip = *parse_sources("header:x-forwarded-for");
  config.uri = "x-forwarded-uri";
  const std::vector<Field> fields{{"cookie", "account=abc"},
                                  {"x-forwarded-uri", "/live/s1/seg.ts"},
                                  {"x-original-uri", "/live/forged/seg.ts"},
                                  {"user-agent", "player"},
                                  {"x-forwarded-for", "192.0.2.1, 10.0.0.1"}};
  const Asked one = asked("/v1/authorize", fields, config);
  CHECK(one.user == "abc");
  CHECK(one.session == "s1");
  CHECK(one.details.ip == "192.0.2.1");
  CHECK(one.details.device.starts_with('~'));
  CHECK(asked("/v1/authorize/live/s2/seg.ts", fields, config).session == "s2");
}

TEST_CASE("to_authorize_response") {
  Granted granted;
  granted.user = "abc";
  granted.session = "s 1%é";
  granted.active = 2;
  granted.limit = 3;
  const std::string no_store = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  SUBCASE("allows with 204, or 200 for who takes nothing else, and no body") {
    const Response response = to_authorize_response(granted, Allowed::kNoContent);
    CHECK(response.status == 204);
    CHECK(response.body.empty());
    CHECK(response.headers == std::string("Cache-Control: no-store\r\n") +
                                  "X-Concur-Count: 2\r\nX-Concur-Limit: 3\r\n"
                                  "X-Concur-Session: s%201%25%C3%A9\r\n");
    CHECK(to_authorize_response(granted, Allowed::kOk).status == 200);
    CHECK(to_authorize_response(granted, Allowed::kOk).body.empty());
  }
  SUBCASE("denies with 403 and the reason, and tells of no other session") {
    Denied denied{"abc", "s4", 3, 4, 3, 41200ms, {}};
    denied.sessions.push_back(
        {"abc", "secret-session", {}, {}, {}, {"secret", "192.0.2.9", "", ""}});
    const Response response = to_authorize_response(denied, Allowed::kNoContent);
    CHECK(response.status == 403);
    CHECK(response.headers == no_store +
                                  "X-Concur-Reason: limit_reached\r\nX-Concur-Count: 3\r\n"
                                  "X-Concur-Limit: 3\r\nX-Concur-Session: s4\r\n"
                                  "Retry-After: 42\r\n");
    CHECK(response.body ==
          "{\"error\":\"limit_reached\",\"message\":\"User abc is trying to watch 4 streams at "
          "once, which is too many.\"}\n");
  }
  SUBCASE("denies who is gone, and who starts too often") {
    for (const auto& [reason, word] :
         std::vector<std::pair<EndReason, std::string>>{{EndReason::kEnded, "ended"},
                                                        {EndReason::kEvicted, "evicted"},
                                                        {EndReason::kPurged, "purged"}}) {
      Gone gone{"abc", "s1", reason, Eviction{{"secret-session", "secret"}, {}}};
      gone.active = 2;
      gone.limit = 3;
      const Response response = to_authorize_response(gone, Allowed::kNoContent);
      CHECK(response.status == 403);
      CHECK(response.headers == no_store + "X-Concur-Reason: " + word +
                                    "\r\nX-Concur-Count: 2\r\nX-Concur-Limit: 3\r\n"
                                    "X-Concur-Session: s1\r\n");
      CHECK(response.body.find("secret") == std::string::npos);
    }
    const Response throttled =
        to_authorize_response(Throttled{"abc", "s1", 200, 1, 300ms}, Allowed::kOk);
    CHECK(throttled.status == 403);
    CHECK(throttled.headers == no_store +
                                   "X-Concur-Reason: too_many_requests\r\nX-Concur-Count: 1\r\n"
                                   "X-Concur-Session: s1\r\nRetry-After: 1\r\n");
  }
  SUBCASE("says with 503 alone that nothing could be decided") {
    for (const ErrorKind kind : {ErrorKind::kUnavailable, ErrorKind::kInternal,
                                 ErrorKind::kUnsupported, ErrorKind::kInvalid}) {
      const Response response = to_authorize_response(Refused{{kind, "cannot"}}, Allowed::kOk);
      CHECK(response.status == 503);
      CHECK(response.headers == no_store + "Retry-After: 1\r\n");
    }
    CHECK(to_authorize_response(PlanList{}, Allowed::kOk).status == 503);
  }
}

namespace {

struct AuthorizeFixture {
  Response ask(std::string_view method, std::string_view target,
               const std::vector<Field>& fields = {}, Role role = Role::kClient) {
    Call call;
    call.request = {method, target, {}, role, "uid 1, pid 2", -1, fields};
    api.begin(call);
    Response given;
    given.status = 0;
    api.handle(call, [&given](Response&& response) { given = std::move(response); });
    if (!service.waiting.empty()) service.answer_oldest();
    return given;
  }

  test::FakeService service;
  test::FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  ClientMemory memory{clock, log};
  EventLog events;
  Api api{service, events, memory, clock, log};
};

}  // namespace

TEST_CASE("Api at /v1/authorize") {
  AuthorizeFixture fixture;
  SUBCASE("answers as who asks takes it, HEAD as GET") {
    CHECK(fixture.ask("GET", "/v1/authorize?user=abc&session=s1").status == 204);
    CHECK(fixture.ask("HEAD", "/v1/authorize?user=abc&session=s1").status == 204);
    const std::vector<Field> who{{"x-concur-user", "abc"}, {"x-concur-session", "s1"}};
    for (const char* method : {"GET", "HEAD"}) {
      for (const char* target : {"/v1/authorize/", "/v1/authorize/a/b/c.ts?x=%zz&&%",
                                 "/v1/authorize//%", "/v1/authorize/healthz"}) {
        CAPTURE(target);
        CHECK(fixture.ask(method, target, who).status == 200);
      }
    }
    CHECK(fixture.service.submitted == 10);
  }
  SUBCASE("answers OPTIONS behind it with 200, and counts nothing") {
    CHECK(fixture.ask("OPTIONS", "/v1/authorize/a/b?user=abc").status == 200);
    const Response plain = fixture.ask("OPTIONS", "/v1/authorize");
    CHECK(plain.status == 204);
    CHECK(plain.headers == "Allow: GET, HEAD, OPTIONS\r\n");
    CHECK(fixture.service.submitted == 0);
  }
  SUBCASE("asks who it is where that is not said, and refuses where the session is not") {
    for (const char* target :
         {"/v1/authorize", "/v1/authorize?user=&session=s1", "/v1/authorize?user=a%00b&session=s1",
          "/v1/authorize?user=%zz", "/v1/authorize?user=a&user=b&session=s1",
          "/v1/authorize/x?user=a"}) {
      CAPTURE(target);
      const Response response = fixture.ask("GET", target);
      CHECK(response.status == 401);
      CHECK(response.headers == "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    }
    for (const char* target : {"/v1/authorize?user=abc", "/v1/authorize?user=abc&session=",
                               "/v1/authorize?user=abc&session=1&session=2"}) {
      const Response response = fixture.ask("GET", target);
      CHECK(response.status == 403);
      CHECK(response.headers ==
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "X-Concur-Reason: no_session\r\n");
    }
    CHECK(fixture.service.submitted == 0);
  }
  SUBCASE("does not take a role that is too low for a denial") {
    CHECK(fixture.ask("GET", "/v1/authorize?user=abc&session=s1", {}, Role::kMetrics).status ==
          503);
    CHECK(fixture.service.submitted == 0);
  }
  SUBCASE("is spelt to the letter") {
    for (const char* target :
         {"/v1/%61uthorize?user=abc&session=s1", "/v1/authorized", "/v1/%61uthorize/x"}) {
      CAPTURE(target);
      CHECK(fixture.ask("GET", target).status == 404);
    }
    CHECK(fixture.ask("POST", "/v1/authorize/a/b").status == 405);
  }
}
