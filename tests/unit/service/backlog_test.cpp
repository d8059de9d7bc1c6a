#include "service/backlog.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("Backlog") {
  Backlog backlog("the disk");
  SUBCASE("refuses starts first, and all else at twice as many") {
    for (std::size_t i = 0; i < Backlog::kMaxStarts; ++i) backlog.add(0);
    CHECK_FALSE(backlog.admits(CommandKind::kStart));
    CHECK(backlog.refusal(CommandKind::kStart) ==
          "cannot start: 65536 others wait for the disk already");
    CHECK(backlog.admits(CommandKind::kEnd));
    for (std::size_t i = 0; i < Backlog::kMaxStarts; ++i) backlog.add(0);
    CHECK_FALSE(backlog.admits(CommandKind::kHeartbeat));
    CHECK(backlog.refusal(CommandKind::kEnd) ==
          "cannot take it: 131072 others wait for the disk already");
    backlog.remove(0);
    CHECK(backlog.admits(CommandKind::kHeartbeat));
  }
  SUBCASE("refuses what may list sessions while long answers wait, and nothing else") {
    backlog.add(Backlog::kMaxBytes);
    CHECK_FALSE(backlog.admits(CommandKind::kStart));
    CHECK_FALSE(backlog.admits(CommandKind::kOther));
    CHECK(backlog.refusal(CommandKind::kOther) ==
          "cannot take it: long answers wait for the disk already, 64 MiB of them");
    CHECK(backlog.admits(CommandKind::kHeartbeat));
    CHECK(backlog.admits(CommandKind::kEnd));
    backlog.remove(Backlog::kMaxBytes);
    CHECK(backlog.admits(CommandKind::kStart));
  }
  SUBCASE("an answer counts by what it lists") {
    UserSessions few;
    UserSessions more;
    few.sessions.resize(1);
    more.sessions.resize(2);
    more.sessions[1].details.meta = std::string(1000, 'm');
    CHECK(Backlog::bytes_of(Ended{}) == 0);
    CHECK(Backlog::bytes_of(few) >= sizeof(SessionInfo));
    CHECK(Backlog::bytes_of(more) >= Backlog::bytes_of(few) + 1000);
  }
}
