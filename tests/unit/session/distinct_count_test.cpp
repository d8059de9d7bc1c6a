#include "session/distinct_count.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

namespace {

DistinctCount count_of(int from, int to) {
  DistinctCount count;
  for (int i = from; i < to; ++i) count.add("thing " + std::to_string(i));
  return count;
}

}  // namespace

TEST_CASE("DistinctCount") {
  SUBCASE("is exact while there are few, however often they come") {
    DistinctCount count;
    for (int round = 0; round < 3; ++round) count.merge(count_of(0, 63));
    CHECK(count.estimate() == 63);
    CHECK(DistinctCount().estimate() == 0);
  }
  SUBCASE("is near where there are many") {
    const double estimate = static_cast<double>(count_of(0, 100'000).estimate());
    CHECK(estimate > 65'000);
    CHECK(estimate < 135'000);
  }
  SUBCASE("of a union is the union of the counts") {
    DistinctCount both = count_of(0, 40);
    both.merge(count_of(30, 50));
    CHECK(both == count_of(0, 50));
    DistinctCount many = count_of(0, 5000);
    many.merge(count_of(2500, 9000));
    CHECK(many == count_of(0, 9000));
  }
  SUBCASE("survives being written down, in at most 256 bytes") {
    const DistinctCount many = count_of(0, 1000);
    CHECK(many.bytes().size() == 256);
    CHECK(DistinctCount::parse(many.bytes()) == many);
    CHECK(DistinctCount::parse("") == DistinctCount());
  }
  SUBCASE("takes nothing for a count that is none") {
    CHECK_FALSE(DistinctCount::parse("abc").has_value());
    CHECK_FALSE(DistinctCount::parse(std::string(260, '\0')).has_value());
    CHECK_FALSE(DistinctCount::parse(std::string(8, '\0')).has_value());  // one hash twice
  }
}
