#include "api/early_ends.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("EarlyEnds") {
  EarlyEnds ends;
  const Instant now{100s};
  SUBCASE("are known for ten seconds, by user and session") {
    ends.add("abc", "s1", now);
    CHECK(ends.has("abc", "s1", now));
    CHECK(ends.has("abc", "s1", now + 10s - 1ms));
    CHECK_FALSE(ends.has("abc", "s2", now));
    CHECK_FALSE(ends.has("ab", "cs1", now));
    CHECK_FALSE(ends.has("abc", "s1", now + 10s));
    CHECK_FALSE(ends.has("abc", "s1", now));  // forgotten
  }
  SUBCASE("count from the latest of one name") {
    ends.add("abc", "s1", now);
    ends.add("abc", "s1", now + 5s);
    CHECK(ends.has("abc", "s1", now + 14s));
    CHECK_FALSE(ends.has("abc", "s1", now + 15s));
  }
  SUBCASE("are bounded: the latest stay") {
    for (std::size_t i = 0; i <= EarlyEnds::kMost; ++i) ends.add("abc", std::to_string(i), now);
    CHECK_FALSE(ends.has("abc", "0", now));
    CHECK(ends.has("abc", "1", now));
    CHECK(ends.has("abc", std::to_string(EarlyEnds::kMost), now));
  }
}
