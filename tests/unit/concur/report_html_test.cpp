#include "report_html.hpp"

#include "report_csv.hpp"

#include <doctest/doctest.h>

#include <string>

namespace concur::cli {
namespace {

std::string with(std::string_view user, std::string_view rest = "") {
  return std::string(R"({"since":"2026-11-16T16:00:00.000Z","users":[{"user":")") +
         std::string(user) + R"(","score":6,"denials":4}])" + std::string(rest) + "}";
}

TEST_CASE("hours_of_day") {
  SUBCASE("has the most that was tried in each hour of any day") {
    const auto hours =
        hours_of_day(R"({"hours":[{"hour":"2026-11-16T21:00:00.000Z","attemptedPeak":5},)"
                     R"({"hour":"2026-11-17T21:00:00.000Z","attemptedPeak":7},)"
                     R"({"hour":"1969-12-31T23:00:00.000Z","attemptedPeak":2}]})");
    REQUIRE(hours);
    HoursOfDay expected{};
    expected[21] = 7;
    expected[23] = 2;
    CHECK(*hours == expected);
  }
  SUBCASE("is nothing where the text is no report on one user") {
    CHECK(!hours_of_day("{}"));
    CHECK(!hours_of_day(R"({"hours":[{"hour":"today"}]})"));
  }
}

TEST_CASE("users_of_report gives names as the daemon wrote them") {
  const auto users = users_of_report(with(R"(a\u202eb)"));
  REQUIRE(users);
  CHECK(*users == std::vector<std::string>{"a\u202eb"});
  CHECK(!users_of_report(R"({"users":[{"user":1}]})"));
}

TEST_CASE("report_html") {
  const auto page = [](std::string_view answer) { return report_html(answer, {}, WallTime()); };
  SUBCASE("escapes what clients send") {
    const auto text = page(with(R"(<b>&\"'</b>)"));
    REQUIRE(text);
    CHECK(text->find("<bdi>&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;</bdi>") != std::string::npos);
  }
  SUBCASE("has hours only where they are known") {
    const auto none = page(with("abc"));
    REQUIRE(none);
    CHECK(none->find("Tried by hour") == std::string::npos);
    HoursOfDay hours{};
    const auto quiet = report_html(with("abc"), {hours}, WallTime());
    REQUIRE(quiet);
    CHECK(quiet->find("aria-label=\"nothing was tried\"") != std::string::npos);
    hours[20] = 4;
    hours[21] = 2;
    const auto busy = report_html(with("abc"), {hours}, WallTime());
    REQUIRE(busy);
    CHECK(busy->find("aria-label=\"most at 20:00 UTC: 4 at once\"") != std::string::npos);
    CHECK(busy->find("fill-opacity=\"0.60\"><title>21:00 UTC: 2 at once") != std::string::npos);
  }
  SUBCASE("is nothing where the answer is no report") {
    for (const char* answer : {"", "[]", "{}", R"({"since":"2026-11-16T16:00:00.000Z"})"}) {
      CAPTURE(answer);
      CHECK(!page(answer));
      CHECK(!report_csv(answer));
    }
  }
}

TEST_CASE("report_csv") {
  CHECK(report_csv(with("abc")) ==
        "user,score,starts,denials,evictions,peak,attemptedPeak,devices,addresses,conflicts\n"
        "\"abc\",6,0,4,0,0,0,0,0,0\n");
  CHECK(report_csv(with("=a", R"(,"hours":[{"hour":"2026-11-16T21:00:00.000Z","peak":3}])")) ==
        "user,hour,score,starts,denials,evictions,peak,attemptedPeak,devices,addresses,"
        "conflicts\n\"'=a\",2026-11-16T21:00:00.000Z,0,0,0,0,3,0,0,0,0\n");
}

}  // namespace
}  // namespace concur::cli
