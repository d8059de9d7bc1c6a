#include "net/deadline.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("Deadline") {
  enum class Waits { kNothing, kFood, kDrink };
  Tick now = 100;
  Deadline<Waits> deadline(now);
  CHECK(deadline.missed() == Waits::kNothing);
  deadline.await(Waits::kFood, 10);

  SUBCASE("is missed when the time is over") {
    now += 9;
    CHECK(deadline.missed() == Waits::kNothing);
    ++now;
    CHECK(deadline.missed() == Waits::kFood);
  }
  SUBCASE("is not put off by who waits for the same again") {
    now += 9;
    deadline.await(Waits::kFood, 10);
    ++now;
    CHECK(deadline.missed() == Waits::kFood);
  }
  SUBCASE("begins anew with something else, or behind a clear") {
    now += 9;
    deadline.await(Waits::kDrink, 10);
    now += 9;
    CHECK(deadline.missed() == Waits::kNothing);
    deadline.clear();
    deadline.await(Waits::kDrink, 10);
    now += 9;
    CHECK(deadline.missed() == Waits::kNothing);
    ++now;
    CHECK(deadline.missed() == Waits::kDrink);
  }
  SUBCASE("is never missed where nothing is waited for") {
    deadline.clear();
    now += 1000;
    CHECK(deadline.missed() == Waits::kNothing);
  }
}
