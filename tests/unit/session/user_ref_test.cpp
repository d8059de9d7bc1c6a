#include "session/user_ref.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

using namespace concur;

TEST_CASE("UserRef") {
  Table table(1);
  const auto knows = [&table](const char* user) { return table.find_user(user) != kNoSlot; };
  SUBCASE("keeps a user who has no session, and no longer than it lives") {
    {
      const UserRef user = table.keep("abc");
      CHECK(user.slot() == table.find_user("abc"));
    }
    CHECK_FALSE(knows("abc"));
  }
  SUBCASE("keeps a user whose last session is released") {
    const Slot session = table.add("abc", "s1").slot;
    UserRef user = table.keep(table.find_user("abc"));
    table.unlink(session);
    table.release(session);
    CHECK(knows("abc"));
    user = UserRef();
    CHECK_FALSE(knows("abc"));
  }
  SUBCASE("leaves a user who has a session") {
    table.add("abc", "s1");
    table.keep("abc");
    CHECK(knows("abc"));
  }
  SUBCASE("leaves a user who has a rule") {
    {
      const UserRef user = table.keep("abc");
      table.user(user.slot()).rule.limit = 5;
    }
    CHECK(knows("abc"));
    {
      const UserRef user = table.keep("abc");
      table.user(user.slot()).rule = UserRule();
      CHECK(knows("abc"));
    }
    CHECK_FALSE(knows("abc"));
  }
  SUBCASE("the user goes with the last of several") {
    UserRef first = table.keep("abc");
    UserRef second = first.another();
    first = UserRef();
    CHECK(knows("abc"));
    second = UserRef();
    CHECK_FALSE(knows("abc"));
  }
  SUBCASE("moved from, it keeps nobody") {
    UserRef first = table.keep("abc");
    UserRef second = std::move(first);
    CHECK(first.slot() == kNoSlot);
    CHECK(first.another().slot() == kNoSlot);
    CHECK(second.slot() == table.find_user("abc"));
    second = table.keep("xyz");
    CHECK_FALSE(knows("abc"));
    CHECK(knows("xyz"));
  }
  SUBCASE("may be moved to itself, and about in a vector") {
    UserRef user = table.keep("abc");
    UserRef& same = user;
    user = std::move(same);
    CHECK(knows("abc"));
    std::vector<UserRef> many;
    for (int i = 0; i < 100; ++i) many.push_back(user.another());
    user = UserRef();
    many.erase(many.begin(), many.end() - 1);
    CHECK(knows("abc"));
    many.clear();
    CHECK_FALSE(knows("abc"));
  }
}
