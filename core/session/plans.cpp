#include "session/plans.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace concur {

namespace {

// Removed ones that users still have count too: an operator's mistake in a loop must find an end.
constexpr std::size_t kMaxNames = 2 * kMaxPlans;

}  // namespace

Error plan_in_use(std::string_view plan, std::uint32_t users) {
  return {
      ErrorKind::kInvalid,
      text::format("cannot remove plan {}: {} it; give them another, or remove it by force and the "
                   "daemon's default holds for them",
                   plan, users == 1 ? "1 user has" : text::format("{} users have", users))};
}

PlanId Plans::find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? kNoPlan : found->second;
}

PlanId Plans::find_or_add(std::string_view name, Plan& before) {
  if (const PlanId known = find(name); known != kNoPlan) {
    before = known_[known].plan;
    return known;
  }
  const auto free = std::ranges::find_if(
      known_, [](const Known& known) { return !known.plan.is_set && known.users == 0; });
  if (free == known_.end() && known_.size() == kMaxNames) return kNoPlan;
  const auto id = static_cast<PlanId>(free - known_.begin());
  if (free == known_.end()) known_.emplace_back();
  before = known_[id].plan;
  Plan added;
  added.name = name;
  put_back(id, std::move(added));
  return id;
}

void Plans::put_back(PlanId id, Plan before) {
  Plan& plan = known_[id].plan;
  ids_.erase(plan.name);
  plan = std::move(before);
  if (!plan.name.empty()) ids_.emplace(plan.name, id);
}

void Plans::add_user(const UserRule& rule, std::uint32_t active) {
  if (rule.plan == kNoPlan) return;
  ++known_[rule.plan].users;
  count(rule, active);
}

void Plans::remove_user(const UserRule& rule, std::uint32_t active) {
  if (rule.plan == kNoPlan) return;
  --known_[rule.plan].users;
  uncount(rule, active);
}

void Plans::count_user(const UserRule& rule, std::uint32_t before, std::uint32_t active) {
  if (rule.plan == kNoPlan) return;
  uncount(rule, before);
  count(rule, active);
}

void Plans::count(const UserRule& rule, std::uint32_t active) {
  if (!rule.has_limit() && active > 1) ++known_[rule.plan].by_active[active];
}

void Plans::uncount(const UserRule& rule, std::uint32_t active) {
  if (rule.has_limit() || active <= 1) return;
  auto& by_active = known_[rule.plan].by_active;
  const auto found = by_active.find(active);
  assert(found != by_active.end());
  if (--found->second == 0) by_active.erase(found);
}

std::uint32_t Plans::users_above(PlanId id) const {
  const auto& [plan, users, by_active] = known_[id];
  if (plan.limit == kUnlimited) return 0;
  std::uint32_t above = 0;
  for (auto each = by_active.upper_bound(plan.limit); each != by_active.end(); ++each) {
    above += each->second;
  }
  return above;
}

std::vector<PlanId> Plans::all() const {
  std::vector<PlanId> all;
  for (const auto& [name, id] : ids_) {
    if (known_[id].plan.is_set) all.push_back(id);
  }
  return all;
}

}  // namespace concur
