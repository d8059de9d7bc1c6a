#include "base/histogram.hpp"

#include <doctest/doctest.h>

using concur::Histogram;

TEST_CASE("Histogram") {
  static constexpr std::int64_t kBounds[] = {1, 10, 100};
  Histogram histogram(kBounds);

  SUBCASE("is empty at first") {
    CHECK(histogram.count() == 0);
    CHECK(histogram.sum() == 0);
  }
  SUBCASE("a bound belongs to the bucket below it") {
    for (const int value : {0, 1, 2, 10, 11, 100}) histogram.add(value);
    CHECK(histogram.in_bucket(0) == 2);
    CHECK(histogram.in_bucket(1) == 2);
    CHECK(histogram.in_bucket(2) == 2);
    CHECK(histogram.in_bucket(3) == 0);
    CHECK(histogram.count() == 6);
    CHECK(histogram.sum() == 124);
  }
  SUBCASE("what lies beyond all bounds has a bucket of its own") {
    histogram.add(101);
    histogram.add(INT64_MAX / 2);
    CHECK(histogram.in_bucket(3) == 2);
    CHECK(histogram.count() == 2);
  }
  SUBCASE("what a moved clock gives counts as nothing") {
    histogram.add(-5);
    CHECK(histogram.in_bucket(0) == 1);
    CHECK(histogram.sum() == 0);
  }
  SUBCASE("without bounds it is a count and a sum") {
    Histogram plain({});
    plain.add(7);
    CHECK(plain.in_bucket(0) == 1);
    CHECK(plain.sum() == 7);
  }
}
