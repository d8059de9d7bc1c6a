// The registry's part about limits: what operators set for users and plans.
#include "session/registry.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

Refused invalid(std::string message) { return {{ErrorKind::kInvalid, std::move(message)}}; }

PlanInfo info_of(const Plans& plans, PlanId id) {
  return {plans[id].name,   plans[id].limit, plans[id].on_limit, plans.users(id), 0,
          plans[id].numbers};
}

// Plans count sessions that have expired until the sweeper comes by; of a bounded number of users
// those are left out here, which is all of them where there are no more. Where the limit counts
// something else than sessions nobody is told to be above it.
PlanInfo info_with_users_above(State& state, PlanId id,
                               const std::optional<Attribute::Kind>& counts, const Now& now) {
  PlanInfo info = info_of(state.plans, id);
  if (counts) return info;
  info.users_above = state.plans.users_above(id);
  const Slot end = std::min(state.table.users_end(), Registry::kListStep);
  for (Slot user = 0; user < end && info.users_above > 0; ++user) {
    const UserSlot& owner = state.user(user);
    const bool counted =
        owner.rule.plan == id && !owner.rule.has_limit() && owner.active > info.limit;
    if (counted && state.active_at(user, now.instant) <= info.limit) --info.users_above;
  }
  return info;
}

}  // namespace

// A number can be set for a rule that holds, and taken away from any.
std::optional<Refused> Registry::refuse_rules(const RulePatch& rules,
                                              std::string_view whose) const {
  for (const auto& [name, number] : rules) {
    const bool known = policy_.rules && policy_.rules->find(name) != nullptr;
    if (number && !known) {
      return invalid(text::format("cannot set a number of {}: there is no rule {}", whose, name));
    }
  }
  return std::nullopt;
}

// --- users ---

Answer Registry::decide(const ShowLimit& show, const Now& now) {
  return limit_of(show.user.text(), state_->table.find_user(show.user.text()), now);
}

Answer Registry::decide(const SetLimit& set, const Now& now) {
  const std::string_view name = set.user.text();
  const Slot known = state_->table.find_user(name);
  if (known != kNoSlot) settle_overlap(known, now);
  UserRule rule = known == kNoSlot ? UserRule() : state_->user(known).rule;
  if (set.limit) rule.limit = set.limit->value_or(UserRule::kNotSet);
  if (set.on_limit) rule.on_limit = *set.on_limit;
  if (set.plan) {
    rule.plan = *set.plan ? state_->plans.find((*set.plan)->text()) : kNoPlan;
    if (*set.plan && (rule.plan == kNoPlan || !state_->plans[rule.plan].is_set)) {
      return invalid(text::format("cannot set the plan of user {}: there is no plan {}", name,
                                  (*set.plan)->text()));
    }
  }
  if (auto refused = refuse_rules(set.rules, text::format("user {}", name))) return *refused;
  const RuleNumbers* own = known == kNoSlot ? nullptr : state_->rule_numbers(known);
  const RuleNumbers before = own == nullptr ? RuleNumbers() : *own;
  RuleNumbers numbers = set.drops_rules ? RuleNumbers() : before;
  for (const auto& [each, number] : set.rules) {
    if (numbers.set(each, number)) continue;
    return invalid(text::format("cannot set the limit of user {}: it has numbers for {} rules",
                                name, RuleNumbers::kMost));
  }
  rule.has_numbers = !numbers.empty();
  if (numbers == before && rule == (known == kNoSlot ? UserRule() : state_->user(known).rule)) {
    return limit_of(name, known, now);
  }
  auto undo = std::make_unique<undo::Ruled>(undo::Ruled{state_->table.keep(name), {}, before});
  const Slot user = undo->user.slot();
  undo->before = state_->user(user).rule;
  state_->set_rule(user, rule, std::move(numbers));
  record(user, std::move(undo), PutLimit{state_->limit_row(user)});
  UserLimit answer = limit_of(name, user, now);
  publish_limit(name, answer.plan, answer.limit, false, now);
  return answer;
}

Answer Registry::decide(const ListLimits& list, const Now& now) {
  const auto after = list.after.number(kNoSlot);
  if (!after) return Refused{list.after.not_ours()};
  LimitPage page;
  const Slot end = state_->table.users_end();
  Slot user = static_cast<Slot>(std::min<std::uint64_t>(*after, end));
  for (const Slot stop = user + std::min(kListStep, end - user); user < stop; ++user) {
    if (state_->user(user).rule.empty()) continue;
    if (page.limits.size() == list.most) break;
    page.limits.push_back(limit_of(state_->user(user).name.str(), user, now));
  }
  if (user < end) page.next = Cursor::at(user);
  return page;
}

UserLimit Registry::limit_of(std::string_view name, Slot user, const Now& now) {
  if (user != kNoSlot) settle_overlap(user, now);
  const Terms terms = terms_of(user);
  UserLimit limit{std::string(name), terms.limit, terms.from, {},
                  terms.on_limit,    0,           {},         terms.counts};
  if (user == kNoSlot) return limit;
  const PlanId plan = state_->user(user).rule.plan;
  if (plan != kNoPlan) limit.plan = state_->plans[plan].name;
  if (const RuleNumbers* own = state_->rule_numbers(user)) limit.rules = *own;
  limit.active = state_->active_at(user, now.instant);
  return limit;
}

// --- plans ---

Answer Registry::decide(const ShowPlan& show, const Now& now) {
  const PlanId id = state_->plans.find(show.plan.text());
  if (id == kNoPlan || !state_->plans[id].is_set) {
    return Refused{{ErrorKind::kAbsent,
                    text::format("cannot show plan {}: there is no such plan", show.plan.text())}};
  }
  return info_with_users_above(*state_, id, policy_.counts, now);
}

Answer Registry::decide(const SetPlan& set, const Now& now) {
  const std::string_view name = set.plan.text();
  const PlanId known = state_->plans.find(name);
  const bool is_new = known == kNoPlan || !state_->plans[known].is_set;
  if (is_new && !set.limit) {
    return invalid(text::format("cannot set plan {}: it is new, and needs a limit", name));
  }
  if (auto refused = refuse_rules(set.rules, text::format("plan {}", name))) return *refused;
  Plan before;
  const PlanId id = is_new && state_->plans.all().size() >= kMaxPlans
                        ? kNoPlan
                        : state_->plans.find_or_add(name, before);
  if (id == kNoPlan) {
    return invalid(text::format("cannot set plan {}: there are {} already", name, kMaxPlans));
  }
  Plan& plan = state_->plans[id];
  auto undo = std::make_unique<undo::Planned>(undo::Planned{id, std::move(before)});
  plan.is_set = true;
  if (is_new) plan.on_limit.reset();
  if (is_new) plan.numbers = {};
  for (const auto& [each, number] : set.rules) plan.numbers.set(each, number);
  plan.limit = set.limit.value_or(plan.limit);
  if (set.on_limit) plan.on_limit = *set.on_limit;
  record(kNoSlot, std::move(undo), PutPlan{{plan.name, plan.limit, plan.on_limit, plan.numbers}});
  plans_changed_ = last_change();
  publish_limit({}, name, plan.limit, false, now);
  return info_with_users_above(*state_, id, policy_.counts, now);
}

Answer Registry::decide(const RemovePlan& remove, const Now& now) {
  const std::string_view name = remove.plan.text();
  const PlanId id = state_->plans.find(name);
  if (id == kNoPlan || !state_->plans[id].is_set) return PlanRemoved{std::string(name), false, 0};
  Plan& plan = state_->plans[id];
  const std::uint32_t users = state_->plans.users(id);
  if (users > 0 && !remove.force) return Refused{plan_in_use(name, users)};
  auto undo = std::make_unique<undo::Planned>(undo::Planned{id, plan});
  plan.is_set = false;
  record(kNoSlot, std::move(undo), DropPlan{plan.name});
  plans_changed_ = last_change();
  publish_limit({}, name, policy_.limit, true, now);
  return PlanRemoved{std::string(name), true, users};
}

Answer Registry::decide(const ListPlans& /*list*/, const Now& /*now*/) {
  PlanList list;
  for (const PlanId id : state_->plans.all()) list.plans.push_back(info_of(state_->plans, id));
  return list;
}

}  // namespace concur
