#include "base/callback.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <utility>

using namespace concur;

TEST_CASE("Callback") {
  SUBCASE("calls what it holds, in place or too large for that") {
    const auto held = std::make_shared<int>(0);
    const Callback<void(int)> small([held](int add) { *held += add; });
    const Callback<void(int)> large(
        [held, many = std::array<int, 100>{2}](int add) { *held += add * many[0]; });
    small(1);
    large(10);
    CHECK(*held == 21);
  }

  SUBCASE("moves what it holds, and lets go of it once") {
    auto held = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = held;
    Callback<void(int)> first([held = std::move(held)](int add) { *held += add; });
    Callback<void(int)> second(std::move(first));
    second(5);
    first = std::move(second);
    first(6);
    CHECK(*watched.lock() == 11);
    first = Callback<void(int)>();
    CHECK_FALSE(static_cast<bool>(first));
    CHECK(watched.expired());
  }

  SUBCASE("lets go of what is too large to lie in place") {
    auto held = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = held;
    Callback<void()> callback(
        [held = std::move(held), room = std::array<int, 100>{}] { *held = room[0]; });
    CHECK_FALSE(watched.expired());
    callback = [] {};
    CHECK(watched.expired());
  }

  SUBCASE("hands on what it is given without a copy") {
    std::unique_ptr<int> got;
    const Callback<void(std::unique_ptr<int> &&)> callback(
        [&got](std::unique_ptr<int> given) { got = std::move(given); });
    callback(std::make_unique<int>(7));
    CHECK(*got == 7);
  }

  SUBCASE("may hold another in place") {
    const auto held = std::make_shared<int>(0);
    Callback<void(int)> inner([held](int add) { *held += add; });
    const Callback<void(int), sizeof(inner)> outer(
        [inner = std::move(inner)](int add) { inner(2 * add); });
    outer(4);
    CHECK(*held == 8);
  }
}
