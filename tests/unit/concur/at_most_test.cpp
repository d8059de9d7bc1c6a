#include "at_most.hpp"

#include <doctest/doctest.h>

namespace concur::cli {
namespace {

using namespace std::chrono_literals;

TEST_CASE("AtMost") {
  AtMost at_most({2, 10min});
  const Instant begin{Millis(5'000'000)};

  SUBCASE("lets so many through within the time, of each user, and one more once one is older") {
    CHECK(at_most.take("abc", begin));
    CHECK(at_most.take("abc", begin + 1min));
    CHECK_FALSE(at_most.take("abc", begin + 2min));
    CHECK(at_most.take("xyz", begin + 2min));
    CHECK_FALSE(at_most.take("abc", begin + 10min - 1ms));
    CHECK(at_most.take("abc", begin + 10min));
    CHECK_FALSE(at_most.take("abc", begin + 10min));
    CHECK(at_most.take("abc", begin + 11min));
  }
  SUBCASE("forgets who had none within the time") {
    for (int user = 0; user < 50'000; ++user) {
      at_most.take(std::to_string(user), begin + Millis(user) * 6000);
    }
    CHECK(at_most.users() < 3000);
  }
}

}  // namespace
}  // namespace concur::cli
