// The routes about limits of users and plans.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/parameters.hpp"
#include "api/request_body.hpp"

#include <utility>

namespace concur {

void Api::show_limit(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  submit(ShowLimit{*user}, std::move(respond));
}

void Api::set_limit(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  const auto body = parse_limit_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  submit(set_limit_of(*user, *body), std::move(respond));
}

void Api::clear_limit(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  SetLimit clear{*user};
  clear.limit.emplace();
  clear.plan.emplace();
  clear.on_limit.emplace();
  clear.drops_rules = true;
  submit(clear, std::move(respond));
}

void Api::list_limits(const Call& call, Respond respond) {
  const auto most = page_size(call.target);
  if (!most) return respond(to_response(most.error()));
  submit(ListLimits{page_after(call.target), *most}, std::move(respond));
}

void Api::list_plans(const Call& /*call*/, Respond respond) {
  submit(ListPlans{}, std::move(respond));
}

void Api::show_plan(const Call& call, Respond respond) {
  const auto plan = Id::parse("plan", call.names[0]);
  if (!plan) return respond(to_response(plan.error()));
  submit(ShowPlan{*plan}, std::move(respond));
}

void Api::set_plan(const Call& call, Respond respond) {
  const auto plan = Id::parse("plan", call.names[0]);
  if (!plan) return respond(to_response(plan.error()));
  const auto body = parse_plan_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  const auto set = set_plan_of(*plan, *body);
  if (!set) return respond(to_response(set.error()));
  submit(*set, std::move(respond));
}

void Api::remove_plan(const Call& call, Respond respond) {
  const auto plan = Id::parse("plan", call.names[0]);
  if (!plan) return respond(to_response(plan.error()));
  const auto force = switch_of(call.target, "force");
  if (!force) return respond(to_response(force.error()));
  submit(RemovePlan{*plan, *force}, std::move(respond));
}

}  // namespace concur
