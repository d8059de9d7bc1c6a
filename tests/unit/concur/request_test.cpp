#include "request.hpp"

#include <doctest/doctest.h>

#include <string>

namespace concur::cli {
namespace {

using namespace std::chrono_literals;

std::string text_of(const Request& request) {
  return std::string(request.method) + ' ' + request.target +
         (request.body.empty() ? "" : ' ' + request.body);
}

TEST_CASE("request_of a stream's commands") {
  Start start{.name = {"abc", "xyz"}};
  CHECK(text_of(request_of(start)) == "PUT /v1/users/abc/sessions/xyz");
  CHECK(text_of(request_of(Heartbeat{{"abc", "xyz"}})) ==
        "POST /v1/users/abc/sessions/xyz/heartbeat");
  CHECK(text_of(request_of(End{{"abc", "xyz"}})) == "DELETE /v1/users/abc/sessions/xyz");

  SUBCASE("no byte of an id can end its segment") {
    CHECK(request_of(End{{"a/b?c=d&e%", "zoë\n.-_~"}}).target ==
          "/v1/users/a%2Fb%3Fc%3Dd%26e%25/sessions/zo%C3%AB%0A.-_~");
    CHECK(request_of(End{{"..", "{}"}}).target == "/v1/users/../sessions/%7B%7D");
  }

  SUBCASE("a start says what was given, and nothing else") {
    start.ttl = 90'500ms;
    start.limit = 0;
    start.device = "say \"hi\"\n";
    start.ip = "192.0.2.1";
    start.content = "";
    start.meta = {{"a", "b"}, {"k\\", "\x01"}};
    start.on_limit = OnLimit::kEvictOldest;
    start.replace = "old";
    CHECK(request_of(start).body ==
          R"({"ttl":90.500,"limit":0,"device":"say \"hi\"\n","ip":"192.0.2.1","content":"",)"
          R"("meta":{"a":"b","k\\":"\u0001"},"onLimit":"evict-oldest","replace":"old"})");
    start = {.name = {"abc", "xyz"}};
    start.ttl = 120s;
    start.on_limit = OnLimit::kDeny;
    CHECK(request_of(start).body == R"({"ttl":120,"onLimit":"deny"})");
    CHECK(request_of(start).wait == 0s);
  }

  SUBCASE("a start that waits is answered so much later") {
    start.wait = 1500ms;
    CHECK(request_of(start).body == R"({"wait":1.500})");
    CHECK(request_of(start).wait == 1500ms);
  }
}

TEST_CASE("request_of an operator's commands") {
  CHECK(text_of(request_of(Purge{.user = "abc"})) == R"(POST /v1/purge {"user":"abc"})");
  CHECK(text_of(request_of(Purge{.idle = 1h, .dry_run = true})) ==
        R"(POST /v1/purge {"idle":3600,"dryRun":true})");
  CHECK(text_of(request_of(Purge{.all = true})) == R"(POST /v1/purge {"all":true})");
  CHECK(text_of(request_of(Purge{.older_than = 2h,
                                 .ip = "::1",
                                 .device = "",
                                 .meta = {{"app", "web"}, {"k", "v"}},
                                 .block = 60s,
                                 .message = "Call us."})) ==
        R"(POST /v1/purge {"olderThan":7200,"ip":"::1","device":"","meta":{"app":"web","k":"v"},)"
        R"("block":60,"message":"Call us."})");
  CHECK(text_of(request_of(Block{"a/b", 1h, "Call us."})) ==
        R"(PUT /v1/users/a%2Fb/block {"for":3600,"message":"Call us."})");
  CHECK(text_of(request_of(Block{"abc"})) == "PUT /v1/users/abc/block");
  CHECK(text_of(request_of(Unblock{"abc"})) == "DELETE /v1/users/abc/block");
  CHECK(text_of(request_of(BlockList{}, "")) == "GET /v1/blocks?limit=1000");
  CHECK(text_of(request_of(End{{"abc", "s"}, {}, "Bye now."})) ==
        "DELETE /v1/users/abc/sessions/s?message=Bye%20now.");
  LimitSet cleared{.user = "abc"};
  cleared.max.emplace();
  cleared.plan.emplace();
  cleared.on_limit.emplace();
  CHECK(text_of(request_of(cleared)) ==
        R"(PUT /v1/users/abc/limit {"limit":null,"plan":null,"onLimit":null})");
  CHECK(text_of(request_of(LimitGet{"a/b"})) == "GET /v1/users/a%2Fb/limit");
  CHECK(text_of(request_of(LimitSet{.user = "abc", .max = 5, .plan = "Tarif \"1\""})) ==
        R"(PUT /v1/users/abc/limit {"limit":5,"plan":"Tarif \"1\""})");
  CHECK(text_of(request_of(LimitUnset{"abc"})) == "DELETE /v1/users/abc/limit");
  CHECK(text_of(request_of(PlanSet{.plan = "a b", .max = 0})) ==
        R"(PUT /v1/plans/a%20b {"limit":0})");
  CHECK(text_of(request_of(PlanUnset{"p", false})) == "DELETE /v1/plans/p");
  CHECK(text_of(request_of(PlanUnset{"p", true})) == "DELETE /v1/plans/p?force=true");
  CHECK(text_of(request_of(PlanList{})) == "GET /v1/plans");
  CHECK(text_of(request_of(PlanList{"p"})) == "GET /v1/plans/p");
  CHECK(text_of(request_of(Backup{"file"})) == "POST /v1/backup");
  CHECK(text_of(request_of(Backup{"file", true})) == "POST /v1/backup?local=true");
}

TEST_CASE("request_of questions has their parameters in the query") {
  CHECK(text_of(request_of(Report{})) == "GET /v1/report");
  Report report;
  report.since = 36h;
  report.top = 5;
  report.user = "a&b";
  CHECK(text_of(request_of(report)) == "GET /v1/report?since=36h&top=5&user=a%26b");
  CHECK(text_of(request_of(Watch{})) == "GET /v1/events");
  CHECK(text_of(request_of(Watch{.user = "ü", .since = 0, .renewed = true})) ==
        "GET /v1/events?user=%C3%BC&since=0&renewed=true");
  CHECK(text_of(request_of(List{}, "")) == "GET /v1/sessions?limit=1000");
  CHECK(text_of(request_of(List{}, "17/x")) == "GET /v1/sessions?limit=1000&after=17%2Fx");
  CHECK(text_of(request_of(List{.user = "abc"}, "")) == "GET /v1/users/abc/sessions");
  CHECK(text_of(request_of(LimitList{}, "9")) == "GET /v1/limits?limit=1000&after=9");
}

}  // namespace
}  // namespace concur::cli
