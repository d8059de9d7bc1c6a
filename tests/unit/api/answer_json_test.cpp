#include "api/answer_json.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

namespace {

const WallTime kFour{Millis(1'795'449'600'000)};

Denied denial() {
  return {"abc",
          "s4",
          3,
          4,
          3,
          41'200ms,
          {{"abc", "s1", kFour, kFour, kFour + 90s, {"tv", "", "", R"({"a":1})"}}}};
}

}  // namespace

TEST_CASE("to_response is the contract to the letter") {
  SUBCASE("start and renewal") {
    const Response started = to_response(Granted{"abc", "xyz", false, 1, 3, kFour, 30s});
    CHECK(started.status == 201);
    CHECK(started.body ==
          "{\"user\":\"abc\",\"session\":\"xyz\",\"concurrentSessions\":1,\"limit\":3,"
          "\"expiresAt\":\"2026-11-23T16:00:00.000Z\",\"heartbeatInterval\":30}\n");
    CHECK(started.content_type == "application/json");
    CHECK(to_response(Granted{"abc", "xyz", true, 1, 3, kFour, 30s}).status == 200);
  }
  SUBCASE("denial") {
    const Response denied = to_response(denial());
    CHECK(denied.status == 409);
    CHECK(denied.body ==
          "{\"error\":\"limit_reached\",\"message\":\"User abc is trying to watch 4 streams at "
          "once, which is too many.\","
          "\"user\":\"abc\",\"session\":\"s4\",\"concurrentSessions\":3,\"limit\":3,\"retryAfter\":"
          "41.2,"
          "\"sessions\":[{\"session\":\"s1\",\"startedAt\":\"2026-11-23T16:00:00.000Z\","
          "\"lastSeenAt\":\"2026-11-23T16:00:00.000Z\",\"expiresAt\":\"2026-11-23T16:01:30.000Z\","
          "\"device\":\"tv\","
          "\"meta\":{\"a\":1}}]}\n");
  }
  SUBCASE("gone, unknown, ended, purged") {
    CHECK(to_response(Gone{"a", "s", EndReason::kExpired}).status == 410);
    CHECK(
        to_response(Gone{"a", "s", EndReason::kExpired})
            .body.starts_with("{\"error\":\"session_gone\",\"reason\":\"expired\",\"message\":\""));
    CHECK(to_response(Unknown{"a", "s"}).status == 404);
    CHECK(to_response(Ended{"abc", "xyz", true, 0, {}}).body ==
          "{\"user\":\"abc\",\"session\":\"xyz\",\"ended\":true,\"concurrentSessions\":0}\n");
    CHECK(to_response(Ended{"abc", "xyz", false, 0, EndReason::kPurged}).body ==
          "{\"user\":\"abc\",\"session\":\"xyz\",\"ended\":false,\"concurrentSessions\":0,"
          "\"reason\":\"purged\"}\n");
    CHECK(to_response(Purged{2, false}).body == "{\"purged\":2}\n");
    CHECK(to_response(Purged{2, true}).body == "{\"wouldPurge\":2}\n");
  }
  SUBCASE("lists") {
    CHECK(to_response(UserSessions{"abc", 0, 3, {}, {}}).body ==
          "{\"user\":\"abc\",\"concurrentSessions\":0,\"limit\":3,\"sessions\":[]}\n");
    CHECK(to_response(Page{{}, 7}).body == "{\"sessions\":[],\"next\":\"7\"}\n");
  }
  SUBCASE("errors") {
    CHECK(to_response(Error{ErrorKind::kInvalid, "cannot x: y"}).body ==
          "{\"error\":\"invalid_request\",\"message\":\"cannot x: y\"}\n");
    const Response unavailable = to_response(Error{ErrorKind::kUnavailable, "cannot x: y"});
    CHECK(unavailable.status == 503);
    CHECK(unavailable.headers == "Retry-After: 1\r\n");
  }
}

TEST_CASE("to_first_response is the first service's to the byte") {
  const Response allowed = to_first_response(Granted{"abc", "xyz", false, 1, 3, kFour, 30s});
  CHECK(allowed.status == 200);
  CHECK(allowed.body == "{\"user\":\"abc\",\"concurrentSessions\":1}");
  CHECK(allowed.content_type == "application/json");
  const Response denied = to_first_response(denial());
  CHECK(denied.status == 400);
  CHECK(denied.body == "User abc is trying to watch 4 streams at once, which is too many.");
  const Response missing =
      to_first_response(Error{ErrorKind::kInvalid, "Please specify a userId and sessionId"});
  CHECK(missing.status == 400);
  CHECK(missing.body == "Please specify a userId and sessionId");
}
