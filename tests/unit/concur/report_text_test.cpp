#include "report_text.hpp"

#include <doctest/doctest.h>

#include <string>

namespace concur::cli {
namespace {

constexpr Terminal kPipe{};

constexpr std::string_view kUser =
    R"({"user":"abc","starts":7,"denials":4,"evictions":1,"peak":3,"attemptedPeak":5,"devices":5,)"
    R"("addresses":2,"conflicts":8,"score":6})";

std::string with(std::string_view rest) {
  return std::string(R"({"since":"2026-11-16T16:00:00.000Z","users":[)") + std::string(kUser) +
         "]" + std::string(rest) + "}";
}

TEST_CASE("report_text") {
  SUBCASE("ranks users, with a bar for the score") {
    CHECK(report_text(with(""), kPipe) ==
          "Who shares, since 2026-11-16 16:00 UTC:\n"
          "#  USER  SCORE                        STARTS  DENIED  EVICTED  PEAK  TRIED  DEVS  IPS  "
          "CONFL\n"
          "1  abc       6  ####################       7       4        1     3      5     5    2   "
          "   8\n");
  }

  SUBCASE("has a user's hours") {
    const auto text = report_text(
        with(R"(,"hours":[{"hour":"2026-11-23T15:00:00.000Z","starts":7,"denials":4,"peak":3,)"
             R"("attemptedPeak":5,"score":2}])"),
        kPipe);
    REQUIRE(text);
    CHECK(text->find("\nThe hours:\nHOUR (UTC)        TRIED") != std::string::npos);
    CHECK(text->find("\n2026-11-23 15:00      5  ####################") != std::string::npos);
  }

  SUBCASE("counts users by streams at once, the highest levels together") {
    std::string levels;
    for (int level = 1; level <= 20; ++level) {
      levels += (level > 1 ? ",\"" : "\"") + std::to_string(level) + "\":1";
    }
    const auto text = report_text(
        with(R"(,"histogram":{"peak":{)" + levels + R"(},"attempted":{"3":10}})"), kPipe);
    REQUIRE(text);
    CHECK(text->find("\n    16+           5") != std::string::npos);
    CHECK(text->find("\n     17") == std::string::npos);
  }

  SUBCASE("says what another limit would do") {
    const auto text = [](int users) {
      return *report_text(
          with(R"(,"whatIf":{"limit":2,"usersRefused":)" + std::to_string(users) + "}"), kPipe);
    };
    CHECK(text(1).ends_with("\nwith a limit of 2, 1 user would have been refused\n"));
    CHECK(text(7).ends_with("\nwith a limit of 2, 7 users would have been refused\n"));
  }

  SUBCASE("is nothing where the answer is no report") {
    for (const char* answer : {"", "[]", "{}", R"({"since":"2026-11-16T16:00:00.000Z"})",
                               R"({"since":"yesterday","users":[]})",
                               R"({"since":"2026-11-16T16:00:00.000Z","users":[{"starts":1}]})"}) {
      CAPTURE(answer);
      CHECK(!report_text(answer, kPipe));
    }
  }
}

}  // namespace
}  // namespace concur::cli
