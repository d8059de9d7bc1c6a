#include "session/slab.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace concur;

TEST_CASE("Slab") {
  Slab<std::string> slab;
  SUBCASE("gives slots in order, and each keeps its item where it is") {
    std::vector<const std::string*> places;
    for (Slot i = 0; i < 40'000; ++i) {
      REQUIRE(slab.acquire() == i);
      slab[i] = std::to_string(i);
      places.push_back(&slab[i]);
    }
    CHECK(slab.end() == 40'000);
    for (Slot i = 0; i < 40'000; i += 999) {
      CHECK(slab[i] == std::to_string(i));
      CHECK(&slab[i] == places[i]);
    }
  }
  SUBCASE("a released slot is empty, and is given out again, the last released first") {
    for (int i = 0; i < 3; ++i) slab[slab.acquire()] = "taken";
    slab.release(0);
    slab.release(2);
    CHECK(slab[2].empty());
    CHECK(slab.acquire() == 2);
    CHECK(slab.acquire() == 0);
    CHECK(slab.acquire() == 3);
    CHECK(slab[1] == "taken");
  }
  SUBCASE("its end never comes down") {
    slab.release(slab.acquire());
    CHECK(slab.end() == 1);
  }
}
