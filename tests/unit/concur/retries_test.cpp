#include "retries.hpp"

#include <doctest/doctest.h>

namespace concur::cli {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Retries") {
  Retries retries;
  Instant now{Millis(5'000'000)};

  SUBCASE("waits longer each time, five minutes at most") {
    for (const Millis pause : {1000ms, 2000ms, 4000ms, 8000ms}) {
      CHECK(retries.fail(now) == now + pause);
      now += pause;
    }
    for (int time = 0; time < 10; ++time) now = *retries.fail(now);
    CHECK(retries.fail(now) == now + 5min);
  }
  SUBCASE("tries once more when the patience ends, and no more") {
    const Instant end = now + Retries::kPatience;
    int tries = 0;
    for (auto next = retries.fail(now); next; next = retries.fail(now)) {
      now = *next;
      ++tries;
    }
    CHECK(now == end);
    CHECK(tries > 280);
    CHECK(tries < 310);
  }
}

}  // namespace
}  // namespace concur::cli
