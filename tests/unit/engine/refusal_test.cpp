#include "engine/refusal.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace concur::engine;

TEST_CASE("refusal_of") {
  const std::pair<const char*, Refusal> kErrors[] = {
      {"MOVED 3999 127.0.0.1:6381", Refusal::kMoved},
      {"ASK 3999 127.0.0.1:6381", Refusal::kAsk},
      {"READONLY You can't write against a read only replica.", Refusal::kReadOnly},
      {"MASTERDOWN Link with MASTER is down", Refusal::kMasterDown},
      {"LOADING Redis is loading the dataset in memory", Refusal::kLoading},
      {"CLUSTERDOWN Hash slot not served", Refusal::kClusterDown},
      {"TRYAGAIN Multiple keys request during rehashing of slot", Refusal::kTryAgain},
      {"BUSY Redis is busy running a script.", Refusal::kBusy},
      {"NOSCRIPT No matching script. Please use EVAL.", Refusal::kNoScript},
      {"OOM command not allowed when used memory > 'maxmemory'.", Refusal::kFull},
      {"MISCONF Redis is configured to save RDB snapshots", Refusal::kMisconf},
      {"NOREPLICAS Not enough good replicas to write.", Refusal::kNoReplicas},
      {"UNBLOCKED client unblocked via CLIENT UNBLOCK", Refusal::kUnblocked},
      {"NOAUTH Authentication required.", Refusal::kNoAccess},
      {"NOPERM this user has no permissions", Refusal::kNoAccess},
      {"WRONGPASS invalid username-password pair", Refusal::kNoAccess},
      {"ERR unknown command", Refusal::kOther},
      {"BUSYGROUP Consumer Group name already exists", Refusal::kOther},
      {"moved 1 a:1", Refusal::kOther},
      {"", Refusal::kOther},
  };
  for (const auto& [error, refusal] : kErrors) {
    CAPTURE(error);
    CHECK(refusal_of(error) == refusal);
  }
}

TEST_CASE("parse_redirect") {
  const Address from{"10.0.0.9", 7000};
  const auto parse = [&from](const char* text) { return parse_redirect(text, from); };

  SUBCASE("takes a slot and a server") {
    const auto redirect = parse("MOVED 3999 10.0.0.1:6381");
    REQUIRE(redirect.has_value());
    CHECK(redirect->slot == 3999);
    CHECK(redirect->to == Address{"10.0.0.1", 6381});
    CHECK(parse("ASK 0 ::1:6381")->to == Address{"::1", 6381});
    CHECK(parse("ASK 16383 host.example.org:1")->to == Address{"host.example.org", 1});
  }
  SUBCASE("without a host it is another port of the same server") {
    CHECK(parse("MOVED 1 :6381")->to == Address{"10.0.0.9", 6381});
  }
  SUBCASE("refuses anything else") {
    for (const char* text : {"MOVED", "MOVED ", "MOVED 1", "MOVED 1 ", "MOVED x a:1",
                             "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED 1x a:1", "MOVED 1 a",
                             "MOVED 1 a:", "MOVED 1 a:0", "MOVED 1 a:65536", "MOVED 1 a:x",
                             "MOVED 1 a b:1", "MOVED 1 a/b:1", "MOVED 1 a@b:1", "MOVED  1 a:1"}) {
      CAPTURE(text);
      CHECK_FALSE(parse(text).has_value());
    }
  }
}
