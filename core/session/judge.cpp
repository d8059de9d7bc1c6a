#include "session/judge.hpp"

#include <variant>

namespace concur {

namespace {

Policy without_max_sessions(Policy policy) {
  policy.max_sessions = 0;
  return policy;
}

}  // namespace

Judge::Judge(const Policy& policy, std::uint64_t hash_seed, std::uint64_t names_seed)
    : policy_(policy), registry_(without_max_sessions(policy), hash_seed, names_seed) {}

void Judge::set_policy(const Policy& policy, const Now& now) {
  policy_ = policy;
  registry_.set_policy(without_max_sessions(policy), now);
  collect();
}

void Judge::set_plans(const std::vector<PlanRow>& plans) { registry_.set_plans(plans); }

Answer Judge::apply_to_plans(const Command& command, const Now& now) {
  Answer answer = registry_.apply(command, now).answer;
  registry_.confirm(registry_.last_change());
  collect();
  return answer;
}

void Judge::flush_ripe_usage(std::size_t most, const Now& now) {
  registry_.sweep(static_cast<std::uint32_t>(most), Millis(0), now);
  registry_.confirm(registry_.last_change());
  collect();
}

void Judge::open(UserState&& state, const Now& now) {
  user_ = state.user;
  now_ = now;
  registry_.take_in(std::move(state), now);
}

Answer Judge::apply(const Command& command, std::int64_t start) {
  registry_.number_from(start);
  return registry_.apply(command, now_).answer;
}

UserState Judge::close() {
  UserState state = registry_.take_out(user_, now_);
  collect();
  return state;
}

void Judge::count(std::string_view user, const std::vector<Noted>& notes, const Now& now) {
  for (const Noted& each : notes) registry_.count(user, each, now);
  registry_.confirm(registry_.last_change());
  collect();
}

void Judge::flush_usage(std::size_t most, const Now& now) {
  registry_.flush_usage(most, now);
  registry_.confirm(registry_.last_change());
  collect();
}

void Judge::collect() {
  registry_.take_events([this](Event&& event) { events_.push_back(std::move(event)); });
  for (Change& change : registry_.take_changes()) {
    if (auto* part = std::get_if<AddUsage>(&change)) usage_.push_back(std::move(*part));
  }
}

}  // namespace concur
