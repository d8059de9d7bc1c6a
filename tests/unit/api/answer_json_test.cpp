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
    const Response started =
        to_response(Granted{"abc", "xyz", false, 1, 3, kFour, 30s, {0x19ABC, 7}});
    CHECK(started.status == 201);
    CHECK(started.body ==
          "{\"user\":\"abc\",\"session\":\"xyz\",\"start\":\"19abc.7\",\"concurrentSessions\":1,"
          "\"limit\":3,\"expiresAt\":\"2026-11-23T16:00:00.000Z\",\"heartbeatInterval\":30}\n");
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
  SUBCASE("for how long it waited") {
    Granted granted{"abc", "xyz", false, 1, 3, kFour, 30s};
    granted.waited = 1500ms;
    CHECK(to_response(granted).body.ends_with(",\"heartbeatInterval\":30,\"waited\":1.5}\n"));
    Denied denied = denial();
    denied.waited = 20s;
    CHECK(to_response(denied).body.find(",\"retryAfter\":41.2,\"waited\":20,\"sessions\":[") !=
          std::string::npos);
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
    CHECK(
        to_response(Gone{"a", "s", EndReason::kOtherStart}).body ==
        "{\"error\":\"session_gone\",\"reason\":\"other_start\",\"message\":\"cannot renew session "
        "s of user a: it was started again since\",\"user\":\"a\",\"session\":\"s\"}\n");
    CHECK(to_response(Ended{"abc", "xyz", false, 1, EndReason::kOtherStart}).body ==
          "{\"user\":\"abc\",\"session\":\"xyz\",\"ended\":false,\"concurrentSessions\":1,"
          "\"reason\":\"other_start\"}\n");
    CHECK(to_response(Purged{2, false}).body == "{\"purged\":2}\n");
    CHECK(to_response(Purged{2, true, 1}).body == "{\"wouldPurge\":2,\"users\":1}\n");
  }
  SUBCASE("lists") {
    CHECK(to_response(UserSessions{"abc", 0, 3, {}, {}}).body ==
          "{\"user\":\"abc\",\"concurrentSessions\":0,\"limit\":3,\"sessions\":[]}\n");
    CHECK(to_response(Page{{}, Cursor::at(7)}).body == "{\"sessions\":[],\"next\":\"7\"}\n");
  }
  SUBCASE("the box of a fleet that serves a session") {
    Page page{{{"abc", "s1", kFour, kFour, kFour, {}, "edge-7"}}, {}};
    CHECK(to_response(page).body.find(",\"box\":\"edge-7\"}]") != std::string::npos);
    page.sessions.front().box.clear();
    CHECK(to_response(page).body.find("box") == std::string::npos);
  }
  SUBCASE("errors") {
    CHECK(to_response(Error{ErrorKind::kInvalid, "cannot x: y"}).body ==
          "{\"error\":\"invalid_request\",\"message\":\"cannot x: y\"}\n");
    const Response unavailable = to_response(Error{ErrorKind::kUnavailable, "cannot x: y"});
    CHECK(unavailable.status == 503);
    CHECK(unavailable.headers == "Retry-After: 1\r\n");
  }
}

namespace {

// The same answer, decided without the engine.
template <class T>
std::string degraded(T answer) {
  CHECK(to_response(answer).body.find("degraded") == std::string::npos);
  answer.degraded = true;
  return to_response(answer).body;
}

}  // namespace

TEST_CASE("to_response says that the engine was not asked") {
  CHECK(degraded(Granted{"abc", "xyz", false, 1, 3, kFour, 30s})
            .ends_with("\"heartbeatInterval\":30,\"degraded\":true}\n"));
  CHECK(degraded(denial()).find("\"retryAfter\":41.2,\"degraded\":true,\"sessions\":[") !=
        std::string::npos);
  CHECK(degraded(Throttled{"abc", "xyz", 200, 1, 3s})
            .ends_with("\"retryAfter\":3,\"degraded\":true}\n"));
  CHECK(degraded(Gone{"abc", "xyz", EndReason::kEnded}).ends_with(",\"degraded\":true}\n"));
  CHECK(degraded(Unknown{"abc", "xyz"}).ends_with(",\"degraded\":true}\n"));
  CHECK(degraded(Ended{"abc", "xyz", true, 0, {}})
            .ends_with("\"concurrentSessions\":0,\"degraded\":true}\n"));
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

TEST_CASE("to_response tells of evictions and limits") {
  const auto body = [](const Answer& answer) { return to_response(answer).body; };
  SUBCASE("who made room, who would have, and that it would have been denied") {
    Granted granted{"abc", "xyz", false, 1, 3, kFour, 30s};
    granted.evicted = {"s1", "s2"};
    granted.would_deny = true;
    granted.would_evict = {"s3"};
    CHECK(body(granted).ends_with(
        "\"heartbeatInterval\":30,\"wouldDeny\":true,\"evicted\":[\"s1\",\"s2\"],"
        "\"wouldEvict\":[\"s3\"]}\n"));
  }
  SUBCASE("who took over, to the evicted") {
    const Eviction eviction{{"s9", "tv"}, kFour};
    const Response gone = to_response(Gone{"abc", "s1", EndReason::kEvicted, eviction});
    CHECK(gone.status == 410);
    CHECK(
        gone.body.ends_with("\"evictedBy\":{\"session\":\"s9\",\"device\":\"tv\",\"at\":"
                            "\"2026-11-23T16:00:00.000Z\"}}\n"));
    CHECK(body(Ended{"abc", "s1", false, 2, EndReason::kEvicted, Eviction{{"s9", ""}, kFour}})
              .ends_with("\"reason\":\"evicted\",\"evictedBy\":{\"session\":\"s9\",\"at\":"
                         "\"2026-11-23T16:00:00.000Z\"}}\n"));
  }
  SUBCASE("a denial that a hold-off caused") {
    Denied denied = denial();
    denied.hold_off = 90s;
    CHECK(body(denied).find("\"retryAfter\":41.2,\"holdOff\":90,\"sessions\"") !=
          std::string::npos);
  }
  SUBCASE("a user's limit, and that running streams go on above it") {
    CHECK(body(UserLimit{"abc", 5, LimitSource::kPlan, "gold", OnLimit::kEvictOldest, 4}) ==
          "{\"user\":\"abc\",\"limit\":5,\"from\":\"plan\",\"plan\":\"gold\","
          "\"onLimit\":\"evict-oldest\",\"concurrentSessions\":4}\n");
    CHECK(body(UserLimit{"abc", 2, LimitSource::kUser, "", OnLimit::kDeny, 4})
              .find("\"excess\":2,\"message\":") != std::string::npos);
    CHECK(body(UserLimit{"abc", 0, LimitSource::kUser, "", OnLimit::kDeny, 4}).find("excess") ==
          std::string::npos);
  }
  SUBCASE("plans") {
    CHECK(body(PlanInfo{"gold", 5, OnLimit::kDeny, 12, 2}) ==
          "{\"plan\":\"gold\",\"limit\":5,\"onLimit\":\"deny\",\"users\":12,\"usersAbove\":2}\n");
    CHECK(body(PlanList{{{"gold", 5, {}, 12, 0}}}) ==
          "{\"plans\":[{\"plan\":\"gold\",\"limit\":5,\"users\":12}]}\n");
    CHECK(body(PlanRemoved{"gold", true, 1}) ==
          "{\"plan\":\"gold\",\"removed\":true,\"users\":1}\n");
  }
  SUBCASE("what cannot be carried out") {
    CHECK(to_response(Refused{{ErrorKind::kInvalid, "cannot"}}).status == 400);
    CHECK(to_response(Error{ErrorKind::kTimeout, "cannot"}).status == 503);
    CHECK(to_response(Error{ErrorKind::kUnsupported, "cannot"}).status == 501);
    CHECK(to_response(Error{ErrorKind::kUnsupported, "cannot"}).body.find("\"unsupported\"") !=
          std::string::npos);
    CHECK(to_response(Refused{{ErrorKind::kAbsent, "cannot"}}).status == 404);
  }
}
