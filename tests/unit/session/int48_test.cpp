#include "session/int48.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

using namespace concur;

TEST_CASE("Int48 gives back what it was given") {
  for (const std::int64_t most :
       {std::int64_t{0}, std::int64_t{0x7FFF}, std::int64_t{0xFFFF}, std::int64_t{0x7FFF'FFFF},
        std::int64_t{0xFFFF'FFFF}, std::int64_t{0x1234'5678'9ABC}, Int48::kMax - 1}) {
    for (const std::int64_t number : {most, most + 1, -most, -most - 1}) {
      CHECK(Int48(number) == number);
    }
  }
  CHECK(Int48() == 0);
}
