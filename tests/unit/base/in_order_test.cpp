#include "base/in_order.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace concur;

TEST_CASE("InOrder") {
  InOrder<std::string> order;
  CHECK(order.empty());
  CHECK(order.first() == 0);
  const auto a = order.add();
  order[a] = "a";
  const auto b = order.add();
  SUBCASE("values are reached by number, whatever left before them") {
    order[b] = "b";
    CHECK(order[a] == "a");
    order.pop_front();
    CHECK(order[b] == "b");
    CHECK(order.front() == "b");
    CHECK(order.first() == b);
    const auto c = order.add();
    order.back() = "c";
    CHECK(c == b + 1);
    CHECK(order[c] == "c");
    CHECK(order.size() == 2);
  }
  SUBCASE("the first number is that of the next to be added, where none is left") {
    order.pop_front();
    order.pop_front();
    CHECK(order.empty());
    CHECK(order.first() == order.add());
  }
}
