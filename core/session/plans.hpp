#pragma once

#include "base/result.hpp"
#include "rules/rule_numbers.hpp"
#include "session/policy.hpp"
#include "session/terms.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// Why a plan that users have is not removed: kInvalid.
Error plan_in_use(std::string_view plan, std::uint32_t users);

using PlanId = std::uint16_t;
inline constexpr PlanId kNoPlan = 0xFFFF;

// An OnLimit or none, in one byte.
class MaybeOnLimit {
 public:
  MaybeOnLimit() = default;
  MaybeOnLimit(std::optional<OnLimit> on_limit)
      : number_(on_limit ? static_cast<std::uint8_t>(*on_limit) : kNone) {}
  operator std::optional<OnLimit>() const {
    return number_ == kNone ? std::nullopt : std::optional(static_cast<OnLimit>(number_));
  }
  explicit operator bool() const { return number_ != kNone; }
  bool operator==(const MaybeOnLimit&) const = default;

 private:
  static constexpr std::uint8_t kNone = 0xFF;
  std::uint8_t number_ = kNone;
};

// What an operator set for one user, in eight bytes: there may be millions.
struct UserRule {
  static constexpr std::uint32_t kNotSet = 0xFFFF'FFFF;

  std::uint32_t limit = kNotSet;
  PlanId plan = kNoPlan;
  MaybeOnLimit on_limit{};
  bool has_numbers = false;  // for rules; these are kept elsewhere

  bool has_limit() const { return limit != kNotSet; }
  bool empty() const { return !has_limit() && plan == kNoPlan && !on_limit && !has_numbers; }
  TermsOverride terms() const {
    return {has_limit() ? std::optional(limit) : std::nullopt, on_limit};
  }
  bool operator==(const UserRule&) const = default;
};
static_assert(sizeof(UserRule) == 8);

struct Plan {
  std::string name;
  bool is_set = false;  // false: removed, or not yet there, and only the name is known
  std::uint32_t limit = 0;
  std::optional<OnLimit> on_limit;
  RuleNumbers numbers{};
};

// The plans by name and by number, and how many users have each. A removed one keeps its number as
// long as users have it, so that setting it again gives it back to them.
class Plans {
 public:
  // kNoPlan where the name is not known.
  PlanId find(std::string_view name) const;
  // kNoPlan where there are too many. `before` is what had that number: the plan itself, or one
  // that nobody knew any more.
  PlanId find_or_add(std::string_view name, Plan& before);

  // As it was before, name and all; who has it stays counted.
  void put_back(PlanId id, Plan before);

  Plan& operator[](PlanId id) { return known_[id].plan; }
  const Plan& operator[](PlanId id) const { return known_[id].plan; }

  // What it sets for those who have it: nothing where it is not set, or for kNoPlan.
  TermsOverride terms_of(PlanId id) const {
    if (id == kNoPlan || !known_[id].plan.is_set) return {};
    return {known_[id].plan.limit, known_[id].plan.on_limit};
  }

  // Its numbers for rules; null where it sets none.
  const RuleNumbers* numbers_of(PlanId id) const {
    if (id == kNoPlan || !known_[id].plan.is_set) return nullptr;
    return &known_[id].plan.numbers;
  }

  // A user with that rule and so many active sessions comes in, leaves, or has another number of
  // them now.
  void add_user(const UserRule& rule, std::uint32_t active);
  void remove_user(const UserRule& rule, std::uint32_t active);
  void count_user(const UserRule& rule, std::uint32_t before, std::uint32_t active);

  std::uint32_t users(PlanId id) const { return known_[id].users; }
  // Those with more active sessions than the plan allows, but for users with a limit of their own.
  std::uint32_t users_above(PlanId id) const;

  // Those that are set, by name.
  std::vector<PlanId> all() const;

 private:
  struct Known {
    Plan plan;
    std::uint32_t users = 0;
    // How many of those whom the plan limits have so many active sessions, from two on: one alone
    // is above no limit.
    std::map<std::uint32_t, std::uint32_t> by_active{};
  };

  void count(const UserRule& rule, std::uint32_t active);
  void uncount(const UserRule& rule, std::uint32_t active);

  std::map<std::string, PlanId, std::less<>> ids_;
  std::vector<Known> known_;
};

}  // namespace concur
