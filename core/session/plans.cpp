#include "session/plans.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// Removed ones that users still have count too: an operator's mistake in a loop must find an end.
constexpr std::size_t kMaxNames = 2 * kMaxPlans;

}  // namespace

PlanId Plans::find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? kNoPlan : found->second;
}

PlanId Plans::find_or_add(std::string_view name, Plan& before) {
  if (const PlanId known = find(name); known != kNoPlan) {
    before = plans_[known];
    return known;
  }
  const auto free = std::find_if(plans_.begin(), plans_.end(),
                                 [](const Plan& plan) { return !plan.is_set && plan.users == 0; });
  if (free == plans_.end() && plans_.size() == kMaxNames) return kNoPlan;
  const auto id = static_cast<PlanId>(free - plans_.begin());
  if (free == plans_.end()) plans_.emplace_back();
  before = plans_[id];
  Plan added;
  added.name = name;
  put_back(id, std::move(added));
  return id;
}

void Plans::put_back(PlanId id, Plan before) {
  ids_.erase(plans_[id].name);
  plans_[id] = std::move(before);
  if (!plans_[id].name.empty()) ids_.emplace(plans_[id].name, id);
}

std::vector<PlanId> Plans::all() const {
  std::vector<PlanId> all;
  for (const auto& [name, id] : ids_) {
    if (plans_[id].is_set) all.push_back(id);
  }
  return all;
}

}  // namespace concur
