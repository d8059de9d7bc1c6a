#include "model.hpp"

#include "model_parts.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

// --- what becomes durable ---

Model::Given Model::give(const Command& command, const Now& now) {
  changed_ = false;
  relet_ = 0;
  expire_all(now);
  tell_settled(command);
  Given given{std::visit([&](const auto& each) { return decide(each, now); }, command), 0, 0};
  given.relet = relet_;
  if (!changed_) return given;
  given.change = ++changes_;
  steps_.push_back({changes_, state_});
  return given;
}

void Model::confirm(std::uint64_t change) {
  while (!steps_.empty() && steps_.front().change <= change) {
    if (remembers_all_) past_.push_back(std::move(durable_));
    durable_ = std::move(steps_.front().state);
    steps_.erase(steps_.begin());
  }
}

void Model::undo() {
  for (Step& step : steps_) ghosts_.push_back(std::move(step.state));
  steps_.clear();
  state_ = durable_;
  for (auto& [id, lease] : leases_) {
    if (lease.ttl == lease.stored) continue;
    lease.ttl = lease.stored;
    lease.expires = lease.seen + lease.ttl;
  }
}

void Model::overwritten() {
  if (remembers_all_) past_.insert(past_.end(), ghosts_.begin(), ghosts_.end());
  ghosts_.clear();
}

bool Model::may_forget(const std::string& user, const std::string& session, const Now& now) {
  auto& gone = state_.users[user].gone;
  const auto found = gone.find(session);
  if (found == gone.end()) return true;
  if (found->second.reason != EndReason::kExpired || !is_forgotten(found->second, now))
    return false;
  gone.erase(found);
  return true;
}

void Model::settle_lease(std::int64_t session, Millis ttl) {
  const auto found = leases_.find(session);
  if (found == leases_.end()) return;
  found->second.stored = ttl;
  found->second.is_unsure = found->second.ttl != ttl;
}

// In what is and in all that may be found again.
template <class Change>
void Model::in_each_state(const Change& change) {
  const auto in = [&change](State& state) {
    for (auto& [name, user] : state.users) change(user);
  };
  in(state_);
  in(durable_);
  for (Step& step : steps_) in(step.state);
  for (State& ghost : ghosts_) in(ghost);
  for (State& past : past_) in(past);
}

void Model::set_wall() {
  in_each_state([](User& user) {
    for (Session& each : user.sessions) each.wall_moved = true;
    for (Session& each : user.lapsed) each.wall_moved = true;
    if (!user.unsettled) return;
    user.unsettled->wall_moved = true;
    const auto gone = user.gone.find(user.unsettled->name);
    if (gone != user.gone.end()) gone->second.wall_unsure = true;
  });
}

void Model::save(Instant since) {
  in_each_state([&](User& user) {
    for (Session& each : user.sessions) {
      if (leases_.at(each.id).seen <= since) continue;
      each.rebooted = each.is_loose = false;
    }
  });
}

void Model::shift(Millis by) {
  in_each_state([by](User& user) {
    for (Session& each : user.sessions) each.started += by;
    for (Session& each : user.lapsed) each.started += by;
    if (user.unsettled) user.unsettled->started += by;
    for (HoldOff& each : user.hold_offs) each.since += by;
    if (user.kept_out) user.kept_out->block.since += by;
    for (auto& [session, gone] : user.gone) gone.at += by;
  });
  for (auto& [id, lease] : leases_) {
    lease.seen += by;
    lease.expires += by;
  }
}

void Model::wake(Millis slept, const Now& now) {
  for (auto& [id, lease] : leases_) {
    if (lease.expires <= now.instant - slept) continue;
    lease.expires = std::max(lease.expires, now.instant + heartbeat_interval(lease.ttl));
  }
}

std::vector<Model::State> Model::possible() const {
  std::vector<State> all{durable_};
  for (const Step& step : steps_) all.push_back(step.state);
  all.insert(all.end(), ghosts_.begin(), ghosts_.end());
  all.insert(all.end(), past_.rbegin(), past_.rend());
  return all;
}

void Model::adopt(State state) {
  state_ = durable_ = std::move(state);
  steps_.clear();
  ghosts_.clear();
  past_.clear();
  remembers_all_ = false;
  std::erase_if(leases_, [this](const auto& each) {
    return std::ranges::none_of(state_.users, [&](const auto& user) {
      const auto& [name, who] = user;
      return std::ranges::count(who.sessions, each.first, &Session::id) > 0 ||
             (who.unsettled && who.unsettled->id == each.first);
    });
  });
}

std::vector<std::string> Model::users() const {
  std::vector<std::string> names;
  for (const auto& [name, user] : state_.users) names.push_back(name);
  return names;
}

// --- starts ---

std::optional<Model::Latest> Model::latest(const std::string& user,
                                           const std::string& session) const {
  const auto who = state_.users.find(user);
  if (who == state_.users.end()) return std::nullopt;
  const auto active = find_session(who->second.sessions, session);
  const auto gone = who->second.gone.find(session);
  const bool is_active = active != who->second.sessions.end();
  if (!is_active && gone == who->second.gone.end()) return std::nullopt;
  const std::int64_t id = is_active ? active->id : gone->second.id;
  if (id == 0) return std::nullopt;
  const Lease& lease = leases_.at(id);
  return Latest{{static_cast<std::uint64_t>(id), lease.start}, lease.start_is_unsure, is_active};
}

void Model::settle_start(const StartToken& start) {
  const auto found = leases_.find(static_cast<std::int64_t>(start.id));
  if (found == leases_.end() || !found->second.start_is_unsure) return;
  found->second.start = start.count;
  found->second.start_is_unsure = false;
}

bool Model::is_earlier(const std::optional<StartToken>& start, std::int64_t session) const {
  return start && session != 0 &&
         *start < StartToken{static_cast<std::uint64_t>(session), leases_.at(session).start};
}

// One that is no earlier; it may have been forgotten.
void Model::accept_start(const std::optional<StartToken>& start, std::int64_t session) {
  if (!start || start->id != static_cast<std::uint64_t>(session)) return;
  leases_.at(session).start = start->count;
  leases_.at(session).start_is_unsure = false;
}

// --- sessions ---

Model::Terms Model::terms_in(const State& state, const std::string& user) const {
  Terms terms{policy.limit, policy.on_limit, LimitSource::kDefault};
  const auto found = state.users.find(user);
  if (found == state.users.end()) return terms;
  const Rule& rule = found->second.rule;
  const auto plan = state.plans.find(rule.plan);
  if (plan != state.plans.end()) {
    terms.limit = plan->second.limit;
    terms.on_limit = plan->second.on_limit.value_or(terms.on_limit);
    terms.from = LimitSource::kPlan;
  }
  if (rule.limit) {
    terms.limit = *rule.limit;
    terms.from = LimitSource::kUser;
  }
  terms.on_limit = rule.on_limit.value_or(terms.on_limit);
  return terms;
}

void Model::remove(User& user, const std::string& session, Gone gone, const Now& now) {
  const auto leaving = find_session(user.sessions, session);
  gone.id = leaving->id;
  gone.ttl = leases_.at(leaving->id).ttl;
  gone.wall = now.to_wall(gone.at);
  user.sessions.erase(leaving);
  user.gone[session] = gone;
}

bool Model::is_forgotten(const Gone& gone, const Now& now) const {
  const Millis memory =
      std::max<Millis>({policy.lease, policy.hold_off, std::chrono::minutes(10), gone.ttl});
  return gone.at + memory <= now.instant;
}

// Null where nobody knows of it. Of one that expired somebody may know for longer.
const Model::Gone* Model::gone_of(const User& user, const std::string& session,
                                  const Now& now) const {
  const auto found = user.gone.find(session);
  if (found == user.gone.end()) return nullptr;
  const Gone& gone = found->second;
  return gone.reason != EndReason::kExpired && is_forgotten(gone, now) ? nullptr : &gone;
}

// What has expired is no longer there, whoever asks. That is no change that anybody waits for: it
// is told by the time, and the same after it was undone.
void Model::expire(User& user, const Now& now) {
  for (std::size_t i = 0; i < user.sessions.size();) {
    const Session session = user.sessions[i];
    if (is_over(session.id, now)) {
      remove(user, session.name, {EndReason::kExpired, {}, leases_.at(session.id).expires}, now);
      user.lapsed.push_back(session);
    } else {
      ++i;
    }
  }
}

void Model::expire_all(const Now& now) {
  for (auto& [name, user] : state_.users) {
    settle(name, user, now);
    expire(user, now);
  }
}

// Whoever is told something that depends on it waits until their end is stored.
void Model::settle_lapsed(User& user) {
  tell_settled(user);
  changed_ = changed_ || !user.lapsed.empty();
  user.lapsed.clear();
}

SessionInfo Model::info(const std::string& user, const Session& session, const Now& now) const {
  const Lease& lease = leases_.at(session.id);
  SessionInfo info{user,
                   session.name,
                   now.to_wall(session.started),
                   now.to_wall(lease.seen),
                   now.to_wall(lease.expires),
                   session.details};
  if (session.overlap) info.grace_ends_at = now.to_wall(overlap_end(session));
  return info;
}

Granted Model::grant(const std::string& user, const Session& session, std::uint32_t limit,
                     bool renewed, const Now& now) {
  const Lease& lease = leases_.at(session.id);
  Granted granted;
  granted.user = user;
  granted.session = session.name;
  granted.renewed = renewed;
  granted.active = count_of(state_.users[user].sessions);
  granted.limit = limit;
  granted.expires_at = now.to_wall(lease.expires);
  granted.heartbeat_interval = heartbeat_interval(lease.ttl);
  granted.start = {static_cast<std::uint64_t>(session.id), lease.start};
  if (session.overlap) granted.grace_ends_at = now.to_wall(overlap_end(session));
  return granted;
}

Denied Model::deny(const Start& start, std::uint32_t attempted, std::uint32_t limit,
                   const std::vector<std::string>& leaving, const Now& now) {
  const std::string user(start.user.text());
  Denied denied;
  denied.user = user;
  denied.session = std::string(start.session.text());
  denied.active = count_of(state_.users[user].sessions);
  denied.attempted = attempted;
  denied.limit = limit;
  std::vector<Instant> ends;
  std::optional<std::size_t> provisional;
  Instant over;
  for (const Session& session : state_.users[user].sessions) {
    denied.sessions.push_back(info(user, session, now));
    if (std::ranges::count(leaving, session.name) > 0) continue;
    if (session.overlap) {
      provisional = ends.size();
      over = overlap_end(session);
    }
    ends.push_back(leases_.at(session.id).expires);
  }
  // Whoever is let in for a while goes by then, unless another goes before.
  if (provisional && std::ranges::min(ends) > over) ends[*provisional] = over;
  // When so many will have run out that it fits.
  std::ranges::sort(ends);
  denied.retry_after = ends[attempted - leaving.size() - limit - 1] - now.instant;
  return denied;
}

}  // namespace concur::simulation
