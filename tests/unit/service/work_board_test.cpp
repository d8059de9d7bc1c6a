#include "service/work_board.hpp"

#include "support/captured_log.hpp"

#include <doctest/doctest.h>

namespace concur {
namespace {

using namespace std::chrono_literals;

TEST_CASE("WorkBoard") {
  WorkBoard board;
  const Instant start{Instant(1h)};
  auto backup = board.add("backup", {}, start);
  auto purge = board.add("purge", "sessions", start);

  SUBCASE("lists what is under way, the oldest first, until it is over") {
    purge->report(3, 7);
    auto states = board.list();
    REQUIRE(states.size() == 2);
    CHECK(states[0].what == "backup");
    CHECK(states[0].total == 0);
    CHECK(states[1].what == "purge");
    CHECK(states[1].unit == "sessions");
    CHECK(states[1].done == 3);
    CHECK(states[1].total == 7);
    backup.reset();
    CHECK(board.list().size() == 1);
    purge.reset();
    CHECK(board.list().empty());
  }
  SUBCASE("logs it every ten seconds") {
    purge->report(300, 700);
    backup.reset();
    const test::CapturedLog captured;
    Logger log(LogLevel::kInfo, LogFormat::kText);
    for (const auto after : {9'999ms, 10'000ms, 19'999ms, 20'000ms}) {
      board.log_long(log, start + after);
    }
    purge.reset();
    board.log_long(log, start + 40s);
    const auto lines = captured.lines(log);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "info purge: 42 %, 300 of 700 sessions, 30/s, 13s left");
    CHECK(lines[1] == "info purge: 42 %, 300 of 700 sessions, 15/s, 26s left");
  }
}

}  // namespace
}  // namespace concur
