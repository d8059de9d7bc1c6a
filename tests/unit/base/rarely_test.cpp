#include "base/rarely.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("Rarely") {
  Rarely rarely(60s);
  const Instant start{};
  SUBCASE("the first time is now, the next one after the pause, to the millisecond") {
    CHECK(rarely.due(start));
    CHECK_FALSE(rarely.due(start));
    CHECK_FALSE(rarely.due(start + 59'999ms));
    CHECK(rarely.due(start + 60s));
    CHECK_FALSE(rarely.due(start + 61s));
  }
}
