// The registry's part about limits: what operators set for users and plans.
#include "session/registry.hpp"

#include "base/text.hpp"

#include <utility>

namespace concur {

namespace {

Refused invalid(std::string message) { return {{ErrorKind::kInvalid, std::move(message)}}; }

}  // namespace

// --- users ---

Answer Registry::decide(const ShowLimit& show, const Now& now) {
  return limit_of(show.user.text(), table_.find_user(show.user.text()), now);
}

Answer Registry::decide(const SetLimit& set, const Now& now) {
  const std::string_view name = set.user.text();
  const Slot known = table_.find_user(name);
  UserRule rule = known == kNoSlot ? UserRule() : table_.user(known).rule;
  if (set.limit) rule.limit = set.limit->value_or(UserRule::kNotSet);
  if (set.on_limit) rule.on_limit = *set.on_limit;
  if (set.plan) {
    rule.plan = *set.plan ? plans_.find((*set.plan)->text()) : kNoPlan;
    if (*set.plan && (rule.plan == kNoPlan || !plans_[rule.plan].is_set)) {
      return invalid(text::format("cannot set the plan of user {}: there is no plan {}", name,
                                  (*set.plan)->text()));
    }
  }
  if (rule == (known == kNoSlot ? UserRule() : table_.user(known).rule)) {
    return limit_of(name, known, now);
  }
  const Slot user = table_.hold_user(name);
  const UserRule before = table_.user(user).rule;
  const bool emptied = rule.empty();
  // One hold for as long as a rule stands; a rule that was taken away holds until that is durable.
  if (!before.empty()) table_.let_go(user);
  set_rule(user, rule);
  record(user, Ruled{user, before, emptied}, PutLimit{limit_row(user)});
  UserLimit answer = limit_of(name, user, now);
  tell_limit(name, answer.plan, answer.limit, false, now);
  return answer;
}

Answer Registry::decide(const ListLimits& list, const Now& now) {
  LimitPage page;
  for (Slot user = list.after; user < table_.users_end(); ++user) {
    if (table_.user(user).rule.empty()) continue;
    if (page.limits.size() == list.most) {
      page.next = user;
      break;
    }
    page.limits.push_back(limit_of(table_.user(user).name.str(), user, now));
  }
  return page;
}

void Registry::set_rule(Slot user, const UserRule& rule) {
  UserRule& now = table_.user(user).rule;
  if (now.plan != kNoPlan) --plans_[now.plan].users;
  if (rule.plan != kNoPlan) ++plans_[rule.plan].users;
  now = rule;
}

LimitRow Registry::limit_row(Slot user) const {
  const UserRule& rule = table_.user(user).rule;
  LimitRow row{table_.user(user).name.str(), {}, rule.on_limit, {}};
  if (rule.has_limit()) row.limit = rule.limit;
  if (rule.plan != kNoPlan) row.plan = plans_[rule.plan].name;
  return row;
}

UserLimit Registry::limit_of(std::string_view name, Slot user, const Now& now) {
  const Terms terms = terms_of(user);
  UserLimit limit{std::string(name), terms.limit, terms.from, {}, terms.on_limit, 0};
  if (user == kNoSlot) return limit;
  const PlanId plan = table_.user(user).rule.plan;
  if (plan != kNoPlan) limit.plan = plans_[plan].name;
  limit.active = active_at(user, now.instant);
  return limit;
}

// --- plans ---

Answer Registry::decide(const ShowPlan& show, const Now& now) {
  const PlanId id = plans_.find(show.plan.text());
  if (id == kNoPlan || !plans_[id].is_set) {
    return Refused{{ErrorKind::kAbsent,
                    text::format("cannot show plan {}: there is no such plan", show.plan.text())}};
  }
  return plan_info_now(id, now);
}

Answer Registry::decide(const SetPlan& set, const Now& now) {
  const std::string_view name = set.plan.text();
  const PlanId known = plans_.find(name);
  const bool is_new = known == kNoPlan || !plans_[known].is_set;
  if (is_new && !set.limit) {
    return invalid(text::format("cannot set plan {}: it is new, and needs a limit", name));
  }
  Plan before;
  const PlanId id =
      is_new && plans_.all().size() >= kMaxPlans ? kNoPlan : plans_.find_or_add(name, before);
  if (id == kNoPlan) {
    return invalid(text::format("cannot set plan {}: there are {} already", name, kMaxPlans));
  }
  Plan& plan = plans_[id];
  auto undo = std::make_unique<Planned>(Planned{id, std::move(before)});
  plan.is_set = true;
  if (is_new) plan.on_limit.reset();
  plan.limit = set.limit.value_or(plan.limit);
  if (set.on_limit) plan.on_limit = *set.on_limit;
  record(kNoSlot, std::move(undo), PutPlan{{plan.name, plan.limit, plan.on_limit}});
  plans_changed_ = last_change();
  tell_limit({}, name, plan.limit, false, now);
  return plan_info_now(id, now);
}

Answer Registry::decide(const RemovePlan& remove, const Now& now) {
  const std::string_view name = remove.plan.text();
  const PlanId id = plans_.find(name);
  if (id == kNoPlan || !plans_[id].is_set) return PlanRemoved{std::string(name), false, 0};
  Plan& plan = plans_[id];
  if (plan.users > 0 && !remove.force) {
    return invalid(text::format(
        "cannot remove plan {}: {} it; give them another, or remove it by force and the "
        "daemon's default holds for them",
        name, plan.users == 1 ? "1 user has" : text::format("{} users have", plan.users)));
  }
  auto undo = std::make_unique<Planned>(Planned{id, plan});
  plan.is_set = false;
  record(kNoSlot, std::move(undo), DropPlan{plan.name});
  plans_changed_ = last_change();
  tell_limit({}, name, policy_.limit, true, now);
  return PlanRemoved{std::string(name), true, plan.users};
}

Answer Registry::decide(const ListPlans& /*list*/, const Now& /*now*/) {
  PlanList list;
  for (const PlanId id : plans_.all()) list.plans.push_back(plan_info(id));
  return list;
}

PlanInfo Registry::plan_info(PlanId id) const {
  const Plan& plan = plans_[id];
  return {plan.name, plan.limit, plan.on_limit, plan.users, 0};
}

PlanInfo Registry::plan_info_now(PlanId id, const Now& now) {
  PlanInfo info = plan_info(id);
  if (info.limit == kUnlimited || info.users == 0) return info;
  for (Slot user = 0; user < table_.users_end(); ++user) {
    const UserRule& rule = table_.user(user).rule;
    const bool concerned = rule.plan == id && !rule.has_limit();
    if (concerned && active_at(user, now.instant) > info.limit) ++info.users_above;
  }
  return info;
}

}  // namespace concur
