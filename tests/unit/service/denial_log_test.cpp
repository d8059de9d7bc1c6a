#include "service/denial_log.hpp"

#include "support/captured_log.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::CapturedLog;

namespace {

Event denial(std::string_view user, std::string_view session, bool would_deny = false) {
  Event event;
  event.kind = EventKind::kDenied;
  event.user = PackedText(user);
  event.session = PackedText(session);
  event.active = 3;
  event.limit = 3;
  event.would_deny = would_deny;
  return event;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("DenialLog") {
  const CapturedLog captured;
  Logger log(LogLevel::kInfo, LogFormat::kText);
  DenialLog denials(log);
  Instant now{1h};
  const std::string first = R"(info denied: user "abc" session "s4" (3 of 3 active))";
  denials.add(denial("abc", "s4"), now);

  SUBCASE("the first of a user is told at once") { CHECK(captured.lines(log) == Lines{first}); }
  SUBCASE("further ones are told together once a minute is over") {
    for (int i = 0; i < 57; ++i) denials.add(denial("abc", "s5"), now);
    denials.add(denial("abc", "s6"), now);
    denials.tick(now + 59'999ms);
    CHECK(captured.lines(log).size() == 1);
    denials.tick(now + 60s);
    CHECK(captured.lines(log) ==
          Lines{first, R"(info denied: user "abc" session "s6" (3 of 3 active); 57 more of this )"
                       "user in the last minute"});
    SUBCASE("and that line begins another minute") {
      denials.add(denial("abc", "s7"), now + 61s);
      denials.tick(now + 119s);
      CHECK(captured.lines(log).size() == 2);
      denials.tick(now + 120s);
      CHECK(captured.lines(log).back() ==
            R"(info denied: user "abc" session "s7" (3 of 3 active))");
    }
  }
  SUBCASE("after a quiet minute a user's next one is told at once again") {
    denials.tick(now + 60s);
    denials.add(denial("abc", "s4"), now + 61s);
    CHECK(captured.lines(log) == Lines{first, first});
  }
  SUBCASE("users are told of apart") {
    denials.add(denial("xyz", "s1"), now);
    CHECK(captured.lines(log).back() == R"(info denied: user "xyz" session "s1" (3 of 3 active))");
  }
  SUBCASE("observed ones say so") {
    denials.add(denial("xyz", "s1", true), now);
    CHECK(captured.lines(log).back() ==
          R"(info would deny: user "xyz" session "s1" (3 of 3 active))");
  }
  SUBCASE("names neither break the line nor pretend to be its end") {
    denials.add(denial("a\" session \"\\", "x\u2028y"), now);
    CHECK(captured.lines(log).back() ==
          R"(info denied: user "a\" session \"\\" session "x\u2028y" (3 of 3 active))");
  }
  SUBCASE("of more users than a thousand a number is told") {
    for (int i = 1; i < 1005; ++i) denials.add(denial(std::to_string(i), "s"), now);
    CHECK(captured.lines(log).size() == 1000);
    denials.tick(now + 60s);
    REQUIRE(captured.lines(log).size() == 1001);
    CHECK(captured.lines(log).back() ==
          "info denied: 5 more in the last minute, of users beyond the 1000 that are named in a "
          "minute");
    denials.add(denial("late", "s"), now + 61s);
    CHECK(captured.lines(log).size() == 1002);
  }
  SUBCASE("at the end what is held back is told") {
    denials.add(denial("abc", "s5"), now);
    denials.flush();
    denials.flush();
    CHECK(captured.lines(log).size() == 2);
  }
  SUBCASE("where info is not logged nothing is kept") {
    log.set_level(LogLevel::kWarning);
    denials.add(denial("abc", "s5"), now);
    log.set_level(LogLevel::kInfo);
    denials.tick(now + 60s);
    CHECK(captured.lines(log).size() == 1);
  }
}
