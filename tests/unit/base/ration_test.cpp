#include "base/ration.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("Ration") {
  Ration ration(2, 60s);
  const Instant start{};
  SUBCASE("lets a few through in a while, and tells the next one how many were held back") {
    CHECK(ration.next(start) == 0);
    CHECK(ration.next(start + 1s) == 0);
    CHECK_FALSE(ration.next(start + 2s));
    CHECK_FALSE(ration.next(start + 59'999ms));
    CHECK(ration.next(start + 60s) == 2);
    CHECK(ration.next(start + 61s) == 0);
    CHECK_FALSE(ration.next(start + 62s));
  }
  SUBCASE("begins the while with the first of it") {
    CHECK(ration.next(start + 1h) == 0);
    CHECK(ration.next(start + 1h + 59s) == 0);
    CHECK_FALSE(ration.next(start + 1h + 59s));
  }
}
