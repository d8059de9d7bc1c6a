// The fleet service's part about plans, and what a box that is new in the fleet brings along.
#include "fleet/fleet_service.hpp"

#include <utility>

namespace concur {

// A plan that another box has just set is not known here yet.
void FleetService::set_limit(const SetLimit& set, const Now& now, Reply reply) {
  const bool known = !set.plan || !*set.plan || plans_.find((*set.plan)->text()) != nullptr;
  if (known) return desks_.submit(set.user.text(), set, now, std::move(reply));
  auto kept = std::make_shared<KeptCommand>(Command(set));
  auto shared = std::make_shared<Reply>(std::move(reply));
  plans_.look([this, kept, shared] {
    const auto& later = std::get<SetLimit>(kept->get());
    desks_.submit(later.user.text(), later, clock_.now(), std::move(*shared));
  });
}

void FleetService::set_plan(const SetPlan& set, Reply reply) {
  const Answer tried = judge_.apply_to_plans(set, engine_like(clock_.now()));
  std::vector<Event> happened = judge_.take_events();
  judge_.set_plans(plans_.plans());
  const auto* const info = std::get_if<PlanInfo>(&tried);
  if (info == nullptr) return reply(Answer(tried));
  auto shared = std::make_shared<Reply>(std::move(reply));
  auto events = std::make_shared<std::vector<Event>>(std::move(happened));
  plans_.put({info->plan, info->limit, info->on_limit, info->rules},
             [this, shared, events, plan = info->plan](Result<void> done) {
               if (!done) return (*shared)(done.error());
               publish(std::move(*events));
               show_plan(plan, shared);
             });
}

// The plan with who has it, as it is in the engine by now.
void FleetService::show_plan(const std::string& plan, const std::shared_ptr<Reply>& reply) {
  lists_.count_plans([this, plan, reply](Lists::PlanUsers&& users) {
    if (!users.cause.empty()) {
      return (*reply)(
          Error{ErrorKind::kUnavailable, "cannot ask the fleet's engine: " + users.cause});
    }
    const PlanRow* const known = plans_.find(plan);
    if (known == nullptr) {
      const auto id = Id::parse("plan", plan);
      return (*reply)(judge_.apply_to_plans(ShowPlan{*id}, engine_like(clock_.now())));
    }
    (*reply)(Answer(info_of(*known, users)));
  });
}

PlanInfo FleetService::info_of(const PlanRow& plan, const Lists::PlanUsers& users) {
  PlanInfo info{plan.plan, plan.limit, plan.on_limit, 0, 0, plan.numbers};
  if (const auto found = users.plans.find(plan.plan); found != users.plans.end()) {
    info.users = found->second.users;
    info.users_above = found->second.users_above;
  }
  return info;
}

void FleetService::list_plans(std::optional<Id> plan, Reply reply) {
  auto shared = std::make_shared<Reply>(std::move(reply));
  if (plan) return show_plan(std::string(plan->text()), shared);
  lists_.count_plans([this, shared](Lists::PlanUsers&& users) {
    if (!users.cause.empty()) {
      return (*shared)(
          Error{ErrorKind::kUnavailable, "cannot ask the fleet's engine: " + users.cause});
    }
    PlanList list;
    for (const PlanRow& each : plans_.plans()) list.plans.push_back(info_of(each, users));
    (*shared)(Answer(std::move(list)));
  });
}

void FleetService::remove_plan(const RemovePlan& remove, Reply reply) {
  const std::string plan(remove.plan.text());
  const PlanRow* const known = plans_.find(plan);
  if (known == nullptr) return reply(Answer(PlanRemoved{plan, false, 0}));
  auto shared = std::make_shared<Reply>(std::move(reply));
  lists_.count_plans([this, plan, force = remove.force, shared](Lists::PlanUsers&& users) {
    if (!users.cause.empty()) {
      return (*shared)(
          Error{ErrorKind::kUnavailable, "cannot ask the fleet's engine: " + users.cause});
    }
    const auto found = users.plans.find(plan);
    const std::uint32_t count = found == users.plans.end() ? 0 : found->second.users;
    if (count > 0 && !force) return (*shared)(Answer(Refused{plan_in_use(plan, count)}));
    const auto id = Id::parse("plan", plan);
    judge_.apply_to_plans(RemovePlan{*id, true}, engine_like(clock_.now()));
    auto events = std::make_shared<std::vector<Event>>(judge_.take_events());
    judge_.set_plans(plans_.plans());
    plans_.drop(plan, [this, plan, count, shared, events](Result<void> done) {
      if (!done) return (*shared)(done.error());
      publish(std::move(*events));
      (*shared)(Answer(PlanRemoved{plan, true, count}));
    });
  });
}

// --- a box that is new in the fleet ---

// What operators had set on it holds in the fleet, where nothing is set there.
void FleetService::enter(Stored&& stored) {
  const auto queue = [](auto& from, auto& to) {
    to.assign(std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  queue(stored.limits, to_enter_);
  queue(stored.plans, plans_to_enter_);
  queue(stored.blocks, blocks_to_enter_);
}

void FleetService::go_on_entering() {
  if (entering_) return;
  entering_ = true;
  if (!blocks_to_enter_.empty()) return enter_block();
  if (!plans_to_enter_.empty()) return enter_plan();
  if (!to_enter_.empty()) return enter_limit();
  entering_ = false;
}

void FleetService::enter_plan() {
  plans_.look([this] {
    const PlanRow plan = plans_to_enter_.front();
    const auto done = [this](Result<void> put) {
      entering_ = false;
      if (put) plans_to_enter_.pop_front();
    };
    if (plans_.find_in_engine(plan.plan)) return done({});
    plans_.put(plan, done);
  });
}

void FleetService::enter_limit() {
  const LimitRow& row = to_enter_.front();
  const auto user = Id::parse("user", row.user);
  SetLimit set{*user};
  if (row.limit) set.limit.emplace(row.limit);
  if (row.on_limit) set.on_limit.emplace(row.on_limit);
  const auto plan = Id::parse("plan", row.plan);
  if (plan) set.plan.emplace(*plan);
  const auto& rules = judge_.policy().rules;
  for (const auto& [rule, number] : row.numbers.all()) {
    if (rules && rules->find(rule) != nullptr) set.rules.emplace_back(rule, number);
  }
  desks_.submit_where_unset(set, clock_.now(), [this](Result<Answer>&& answer) {
    entering_ = false;
    if (answer) to_enter_.pop_front();
  });
}

// What is left of it.
void FleetService::enter_block() {
  const BlockRow& row = blocks_to_enter_.front();
  const Now now = clock_.now();
  const auto user = Id::parse("user", row.user);
  SetBlock set{*user, {}, row.block.message};
  if (const auto until = row.block.until()) set.length = *until - now.instant;
  if (set.length && *set.length <= Millis(0)) {
    entering_ = false;
    return blocks_to_enter_.pop_front();
  }
  desks_.submit_where_unset(set, now, [this](Result<Answer>&& answer) {
    entering_ = false;
    if (answer) blocks_to_enter_.pop_front();
  });
}

}  // namespace concur
