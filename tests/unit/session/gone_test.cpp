#include "session/gone.hpp"

#include <doctest/doctest.h>

using namespace concur;
using namespace std::chrono_literals;

TEST_CASE("GoneQueue") {
  GoneQueue queue;
  CHECK(queue.first() == nullptr);
  CHECK(queue.first_kept() == nullptr);
  SUBCASE("gives them in the order they went") {
    queue.add({7, 1});
    queue.add({5, 2});
    CHECK(queue.size() == 2);
    CHECK(queue.first()->slot == 7);
    queue.pop_first();
    CHECK(queue.first()->number == 2);
  }
  SUBCASE("and those that are kept for longer by when their time is over") {
    queue.add_until({1, 1}, Instant(3h));
    queue.add_until({2, 2}, Instant(1h));
    queue.add_until({3, 3}, Instant(2h));
    CHECK(queue.first() == nullptr);
    CHECK(queue.size() == 3);
    for (const Slot slot : {2U, 3U, 1U}) {
      CHECK(queue.first_kept()->slot == slot);
      queue.pop_first_kept();
    }
    CHECK(queue.size() == 0);
  }
}
