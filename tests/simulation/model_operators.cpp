// The model's part about what operators do: purges, blocks, limits and plans.
#include "model.hpp"
#include "model_parts.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

Answer Model::decide(const Purge& purge, const Now& now) {
  Purged answer{0, purge.dry_run};
  if (purge.block && !purge.dry_run) answer.blocked = 0;
  if (purge.block && purge.blocks_anyway && !purge.dry_run)
    state_.users[std::string(purge.user->text())];
  for (auto& [name, user] : state_.users) {
    if (purge.user && purge.user->text() != name) continue;
    if (!purge.dry_run) settle_lapsed(user);
    std::vector<Session> meant;
    for (const Session& each : user.sessions) {
      const Details& has = each.details;
      const bool is_meant = leases_.at(each.id).seen + purge.idle <= now.instant &&
                            each.started + purge.older_than <= now.instant &&
                            (purge.ip.empty() || purge.ip == has.ip) &&
                            (purge.device.empty() || purge.device == has.device) &&
                            (purge.content.empty() || purge.content == has.content);
      if (is_meant) meant.push_back(each);
    }
    answer.count += meant.size();
    if (purge.dry_run) {
      answer.users += meant.empty() ? 0 : 1;
      continue;
    }
    if (purge.block && (!meant.empty() || purge.blocks_anyway)) {
      keep_out(user, purge.block, purge.message, now);
      ++*answer.blocked;
    }
    for (const Session& each : meant) {
      Gone gone{EndReason::kPurged, {}, now.instant};
      gone.message = purge.message;
      remove(user, each.name, gone, now);
      changed_ = true;
    }
  }
  return answer;
}

// --- who is kept out ---

const concur::Block* Model::block_of(const std::string& user, const Now& now) {
  const auto& kept_out = state_.users[user].kept_out;
  return kept_out && !kept_out->block.is_over(now.instant) ? &kept_out->block : nullptr;
}

void Model::keep_out(User& user, std::optional<Millis> length, const std::string& message,
                     const Now& now) {
  user.kept_out = KeptOut{{now.instant, length, message}, now.wall(), false};
  changed_ = true;
}

Answer Model::decide(const ShowBlock& show, const Now& now) {
  const std::string name(show.user.text());
  UserBlock answer{name};
  const concur::Block* block = block_of(name, now);
  if (block == nullptr) return answer;
  answer.blocked = true;
  answer.since = now.to_wall(block->since);
  if (block->length) answer.until = now.to_wall(block->since + *block->length);
  answer.message = block->message;
  return answer;
}

Answer Model::decide(const SetBlock& set, const Now& now) {
  keep_out(state_.users[std::string(set.user.text())], set.length, set.message, now);
  return decide(ShowBlock{set.user}, now);
}

Answer Model::decide(const Unblock& unblock, const Now& /*now*/) {
  const std::string name(unblock.user.text());
  // One that is over, too.
  changed_ = state_.users[name].kept_out.has_value();
  state_.users[name].kept_out.reset();
  return UserBlock{name};
}

Answer Model::decide(const ListBlocks& /*list*/, const Now& now) {
  BlockPage page;
  for (const std::string& name : users()) {
    if (block_of(name, now) == nullptr) continue;
    page.blocks.push_back(std::get<UserBlock>(decide(ShowBlock{*Id::parse("user", name)}, now)));
  }
  return page;
}

// --- limits and plans ---

UserLimit Model::limit_of(const std::string& user, const Now& /*now*/) {
  const Terms terms = terms_of(user);
  const User& who = state_.users[user];
  return {user, terms.limit, terms.from, who.rule.plan, terms.on_limit, count_of(who.sessions)};
}

Answer Model::decide(const ShowLimit& show, const Now& now) {
  return limit_of(std::string(show.user.text()), now);
}

Answer Model::decide(const SetLimit& set, const Now& now) {
  const std::string name(set.user.text());
  Rule rule = state_.users[name].rule;
  if (set.limit) rule.limit = *set.limit;
  if (set.on_limit) rule.on_limit = *set.on_limit;
  if (set.plan) {
    rule.plan = *set.plan ? std::string((*set.plan)->text()) : std::string();
    if (*set.plan && !state_.plans.contains(rule.plan)) {
      return Refused{{ErrorKind::kInvalid, {}}};
    }
  }
  changed_ = !(rule == state_.users[name].rule);
  state_.users[name].rule = rule;
  return limit_of(name, now);
}

Answer Model::decide(const ListLimits& /*list*/, const Now& now) {
  LimitPage page;
  for (const std::string& name : users()) {
    if (!state_.users[name].rule.empty()) page.limits.push_back(limit_of(name, now));
  }
  return page;
}

PlanInfo Model::plan_info(const std::string& name) const {
  const Plan& plan = state_.plans.at(name);
  PlanInfo info{name, plan.limit, plan.on_limit, 0, 0};
  for (const auto& [who, user] : state_.users) {
    if (user.rule.plan != name) continue;
    ++info.users;
    const bool above = plan.limit != kUnlimited && user.sessions.size() > plan.limit;
    if (!user.rule.limit && above) ++info.users_above;
  }
  return info;
}

Answer Model::decide(const ShowPlan& show, const Now& /*now*/) {
  const std::string name(show.plan.text());
  if (!state_.plans.contains(name)) return Refused{{ErrorKind::kAbsent, {}}};
  return plan_info(name);
}

Answer Model::decide(const SetPlan& set, const Now& /*now*/) {
  const std::string name(set.plan.text());
  const bool is_new = !state_.plans.contains(name);
  if (is_new && !set.limit) return Refused{{ErrorKind::kInvalid, {}}};
  Plan& plan = state_.plans[name];
  plan.limit = set.limit.value_or(plan.limit);
  if (set.on_limit) plan.on_limit = *set.on_limit;
  changed_ = true;
  return plan_info(name);
}

Answer Model::decide(const RemovePlan& remove, const Now& /*now*/) {
  const std::string name(remove.plan.text());
  if (!state_.plans.contains(name)) return PlanRemoved{name, false, 0};
  const std::uint32_t users = plan_info(name).users;
  if (users > 0 && !remove.force) return Refused{{ErrorKind::kInvalid, {}}};
  state_.plans.erase(name);
  changed_ = true;
  return PlanRemoved{name, true, users};
}

Answer Model::decide(const ListPlans& /*list*/, const Now& /*now*/) {
  PlanList list;
  for (const auto& [name, plan] : state_.plans) {
    list.plans.push_back(plan_info(name));
    list.plans.back().users_above = 0;
  }
  return list;
}

}  // namespace concur::simulation
