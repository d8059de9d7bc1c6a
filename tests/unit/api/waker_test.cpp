#include "api/waker.hpp"

#include <doctest/doctest.h>

using namespace concur;

TEST_CASE("Waker") {
  Waker waker;
  waker.leave_waiting();
  waker.wake();  // nobody reads yet
  int woken = 0;
  waker.set([&woken] { ++woken; });
  waker.wake();
  CHECK(woken == 0);
  waker.leave_waiting();
  waker.wake();
  waker.wake();
  CHECK(woken == 1);
  waker.leave_waiting();
  waker.reading();
  waker.wake();
  CHECK(woken == 1);
}
