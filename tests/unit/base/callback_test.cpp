#include "base/callback.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

using namespace concur;

TEST_CASE("Callback") {
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;

  SUBCASE("calls what it holds, in place or too large for that") {
    const Callback<void(int)> small([held](int add) { *held += add; });
    const Callback<void(int)> large(
        [held, many = std::array<int, 100>{2}](int add) { *held += add * many[0]; });
    small(1);
    large(10);
    CHECK(*held == 21);
  }

  SUBCASE("moves, and what is left holds nothing") {
    Callback<void(int)> first([held = std::move(held)](int add) { *held += add; });
    Callback<void(int)> second(std::move(first));
    CHECK_FALSE(static_cast<bool>(first));
    second(5);
    first = std::move(second);
    CHECK_FALSE(static_cast<bool>(second));
    first(6);
    CHECK(*watched.lock() == 11);
    first = Callback<void(int)>();
    CHECK(watched.expired());
  }

  SUBCASE("lets go of what it holds with its end, or when it is given something else") {
    {
      Callback<void()> callback([held = std::move(held)] {});
      CHECK_FALSE(watched.expired());
      callback = [] {};
      CHECK(watched.expired());
    }
    {
      auto another = std::make_shared<std::string>("text");
      const std::weak_ptr<std::string> seen = another;
      {
        const Callback<void()> callback(
            [another = std::move(another), room = std::array<int, 100>{}] {});
      }
      CHECK(seen.expired());
    }
  }

  SUBCASE("hands on what it is given without a copy") {
    std::unique_ptr<int> got;
    const Callback<void(std::unique_ptr<int> &&)> callback(
        [&got](std::unique_ptr<int> given) { got = std::move(given); });
    callback(std::make_unique<int>(7));
    CHECK(*got == 7);
  }

  SUBCASE("may hold another in place") {
    Callback<void(int)> inner([held](int add) { *held += add; });
    const Callback<void(int), sizeof(inner)> outer(
        [inner = std::move(inner)](int add) { inner(2 * add); });
    outer(4);
    CHECK(*held == 8);
  }
}
