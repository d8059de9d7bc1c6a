#pragma once

#include "session/registry.hpp"
#include "support/moments.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace concur::test {

inline Id id(std::string_view text) { return *Id::parse("id", text); }

// The default, but that a user may start as often as a test wants.
inline Policy unthrottled() {
  Policy policy;
  policy.start_rate = 0;
  return policy;
}

// A registry whose store always works, unless a test holds its word back.
struct RegistryFixture {
  FakeClock clock;
  Registry registry{unthrottled(), 1};
  bool stores = true;

  template <class T = Answer>
  auto ask(const Command& command) {
    Decision decision = registry.apply(command, clock.now());
    if (stores) store();
    if constexpr (std::is_same_v<T, Answer>) {
      return decision.answer;
    } else {
      REQUIRE(std::holds_alternative<T>(decision.answer));
      return std::get<T>(decision.answer);
    }
  }
  Sequence waits_for(const Command& command) {
    return registry.apply(command, clock.now()).waits_for;
  }
  std::vector<Change> store() {
    auto changes = registry.take_changes();
    registry.confirm(registry.last_change());
    return changes;
  }

  // Without the record of who shares.
  std::vector<Change> store_sessions() {
    auto changes = store();
    std::erase_if(changes, [](const Change& c) { return std::holds_alternative<AddUsage>(c); });
    return changes;
  }

  // As at a clean stop.
  void save_all() {
    SaveCursor cursor;
    while (registry.save_some(cursor, 1000, clock.now())) {
    }
  }

  void set_policy(const Rules& rules) {
    registry.set_policy(Policy{rules, Protection{.start_rate = 0}, Wording{}}, clock.now());
  }

  Granted start(std::string_view user, std::string_view session) {
    return ask<Granted>(Start{id(user), id(session)});
  }
  Denied denied(std::string_view user, std::string_view session) {
    return ask<Denied>(Start{id(user), id(session)});
  }
  UserSessions list(std::string_view user) { return ask<UserSessions>(ListUser{id(user)}); }
  std::string names(std::string_view user) {
    std::string all;
    for (const auto& session : list(user).sessions)
      all += (all.empty() ? "" : " ") + session.session;
    return all;
  }
  void fill(std::string_view user) {
    for (const char* session : {"s1", "s2", "s3"}) start(user, session);
  }
};

}  // namespace concur::test
