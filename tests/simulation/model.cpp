#include "model.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

namespace {

template <class Sessions>
auto find(Sessions& sessions, std::string_view name) {
  return std::ranges::find(sessions, name, &Model::Session::name);
}

std::string name_of(const Model::HoldOff& of) {
  if (!of.device.empty()) return "device " + of.device;
  return of.address.empty() ? "session " + of.session : "address " + of.address;
}

std::uint32_t count(const std::vector<Model::Session>& sessions) {
  return static_cast<std::uint32_t>(sessions.size());
}

}  // namespace

// --- what becomes durable ---

Model::Given Model::give(const Command& command, const Now& now) {
  changed_ = false;
  relet_ = 0;
  expire_all(now);
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
      return std::ranges::count(user.second.sessions, each.first, &Session::id) > 0;
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
  const auto active = find(who->second.sessions, session);
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

Model::Terms Model::terms_of(const std::string& user) const {
  Terms terms{policy.limit, policy.on_limit, LimitSource::kDefault};
  const auto found = state_.users.find(user);
  if (found == state_.users.end()) return terms;
  const Rule& rule = found->second.rule;
  const auto plan = state_.plans.find(rule.plan);
  if (plan != state_.plans.end()) {
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
  const auto leaving = find(user.sessions, session);
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
  for (auto& [name, user] : state_.users) expire(user, now);
}

// Whoever is told something that depends on it waits until their end is stored.
void Model::settle_lapsed(User& user) {
  changed_ = changed_ || !user.lapsed.empty();
  user.lapsed.clear();
}

SessionInfo Model::info(const std::string& user, const Session& session, const Now& now) const {
  const Lease& lease = leases_.at(session.id);
  return {user,
          session.name,
          now.to_wall(session.started),
          now.to_wall(lease.seen),
          now.to_wall(lease.expires),
          session.details};
}

Granted Model::grant(const std::string& user, const Session& session, std::uint32_t limit,
                     bool renewed, const Now& now) {
  const Lease& lease = leases_.at(session.id);
  Granted granted;
  granted.user = user;
  granted.session = session.name;
  granted.renewed = renewed;
  granted.active = count(state_.users[user].sessions);
  granted.limit = limit;
  granted.expires_at = now.to_wall(lease.expires);
  granted.heartbeat_interval = heartbeat_interval(lease.ttl);
  granted.start = {static_cast<std::uint64_t>(session.id), lease.start};
  return granted;
}

Denied Model::deny(const Start& start, std::uint32_t attempted, std::uint32_t limit,
                   const std::vector<std::string>& leaving, const Now& now) {
  const std::string user(start.user.text());
  Denied denied;
  denied.user = user;
  denied.session = std::string(start.session.text());
  denied.active = count(state_.users[user].sessions);
  denied.attempted = attempted;
  denied.limit = limit;
  std::vector<Millis> ends;
  for (const Session& session : state_.users[user].sessions) {
    denied.sessions.push_back(info(user, session, now));
    if (std::ranges::count(leaving, session.name) > 0) continue;
    ends.push_back(leases_.at(session.id).expires - now.instant);
  }
  // When so many will have run out that it fits.
  std::ranges::sort(ends);
  denied.retry_after = ends[attempted - leaving.size() - limit - 1];
  return denied;
}

// --- who is who ---

std::uint32_t Model::changes_of(const User& user, const std::string& viewer, const Now& now) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(user.hold_offs, [&](const HoldOff& each) {
    const bool change = each.mark == Mark::kChangedHands || each.mark == Mark::kFoughtOver;
    return change && name_of(each) == viewer && each.since + policy.hold_off > now.instant;
  }));
}

// "device tv", "address 192.0.2.1" or "session s1".
std::string Model::viewer_of(const User& user, const std::string& session, const Details& details,
                             const Now& now) const {
  const std::string device = "device " + details.device;
  const bool fought_over = changes_of(user, device, now) >= 3;
  if (!details.device.empty() && !fought_over) return device;
  return details.ip.empty() ? "session " + session : "address " + details.ip;
}

// A viewer is held off by whatever of the evicted one it is known by, and protected by the same.
Millis Model::left_of(const User& user, Mark mark, const std::string& viewer,
                      const Now& now) const {
  Millis left{0};
  for (const HoldOff& each : user.hold_offs) {
    const bool is_it = name_of(each) == viewer;
    const bool has_it = viewer == "device " + each.device || viewer == "address " + each.address ||
                        viewer == "session " + each.session;
    if (each.mark != mark || !(mark == Mark::kHeldOff ? has_it : is_it)) continue;
    left = std::max<Millis>(left, each.since + policy.hold_off - now.instant);
  }
  return left;
}

bool Model::comes_back(const User& user, const std::string& viewer, const std::string& session,
                       const std::string& address, const Now& now) const {
  for (const std::string& what : {"session " + session, "address " + address}) {
    const auto found = user.replaced.find(viewer + " " + what);
    if (found != user.replaced.end() && found->second + policy.hold_off > now.instant) return true;
  }
  return false;
}

void Model::mark(User& user, Mark mark, const Details& details, const std::string& session,
                 const Now& now) const {
  const bool fought_over = changes_of(user, "device " + details.device, now) >= 3;
  const bool hands = mark == Mark::kChangedHands || mark == Mark::kFoughtOver;
  user.hold_offs.push_back({mark, session, fought_over && !hands ? "" : details.device, details.ip,
                            now.instant, now.wall(), false});
  if (std::ranges::count(user.hold_offs, mark, &HoldOff::mark) > static_cast<long>(kMaxHeldOff)) {
    user.hold_offs.erase(std::ranges::find(user.hold_offs, mark, &HoldOff::mark));
  }
}

void Model::evict(User& user, const std::string& session, const Start& by, const Now& now) {
  remove(user, session,
         {EndReason::kEvicted, {std::string(by.session.text()), by.details.device}, now.instant},
         now);
}

Answer Model::decide(const Start& start, const Now& now) {
  const std::string name(start.user.text());
  const std::string session(start.session.text());
  const std::string& device = start.details.device;
  Terms terms = terms_of(name);
  terms.limit = start.limit.value_or(terms.limit);
  terms.on_limit = start.on_limit.value_or(terms.on_limit);
  const bool observes = policy.mode == Mode::kObserve;
  User& user = state_.users[name];
  settle_lapsed(user);

  const auto known = find(user.sessions, session);
  if (known != user.sessions.end()) {
    const bool above = start.refuse_repeat_above_limit && terms.limit != kUnlimited &&
                       user.sessions.size() > terms.limit;
    if (above && !observes) return deny(start, count(user.sessions), terms.limit, {}, now);
    if (start.start && !is_earlier(start.start, known->id)) {
      accept_start(start.start, known->id);
    } else if (!start.keeps_token) {
      Lease& lease = leases_.at(known->id);
      lease.start = ++lease.last_start;
      lease.start_is_unsure = false;
    }
    const Details before = known->details;
    if (!start.details.ip.empty()) known->details.ip = start.details.ip;
    if (!start.details.content.empty()) known->details.content = start.details.content;
    if (!start.details.meta.empty()) known->details.meta = start.details.meta;
    changed_ = changed_ || !(before == known->details);
    relet(*known, start.ttl, now);
    Granted granted = grant(name, *known, terms.limit, true, now);
    granted.would_deny = above;
    return granted;
  }

  if (const auto* block = block_of(name, now)) {
    Blocked blocked{name, session, count(user.sessions), terms.limit, block->message};
    if (block->length) blocked.retry_after = block->since + *block->length - now.instant;
    return blocked;
  }

  // Who leaves of itself: the same device's, then the one that is to be replaced.
  const std::string viewer = viewer_of(user, session, start.details, now);
  std::map<std::string, std::string> viewers;
  for (const Session& each : user.sessions) {
    viewers[each.name] = viewer_of(user, each.name, each.details, now);
  }
  const std::string on_device = "device " + device;
  const bool fought_over = changes_of(user, on_device, now) >= 3;
  std::vector<Session> on_it;
  for (const Session& each : user.sessions) {
    if (!device.empty() && !fought_over && each.details.device == device) on_it.push_back(each);
  }
  const auto nearest = std::ranges::find_if(on_it, [&](const Session& each) {
    return !start.details.ip.empty() && each.details.ip == start.details.ip;
  });
  std::vector<std::string> leaving;
  const bool reconnects = !on_it.empty();
  Session replaced;
  if (reconnects) {
    replaced = nearest == on_it.end() ? on_it.front() : *nearest;
    leaving.push_back(replaced.name);
  }
  const std::size_t active = user.sessions.size();
  const Millis held = left_of(user, Mark::kHeldOff, viewer, now);
  bool replace_would_help = false;
  std::vector<std::string> displaced;
  std::vector<std::string> targets;
  for (const Session& each : user.sessions) {
    const bool is_named =
        start.replace_all || (start.replace && start.replace->text() == each.name);
    if (is_named && std::ranges::count(leaving, each.name) == 0) targets.push_back(each.name);
  }
  for (const std::string& target : targets) {
    const bool own = viewers[target] == viewer;
    if (own || held == Millis(0)) leaving.push_back(target);
    if (!own && held == Millis(0)) displaced.push_back(target);
    const bool makes_room = start.replace_all || active <= terms.limit;
    if (!own && held > Millis(0) && makes_room) replace_would_help = true;
  }
  std::vector<std::string> evicted;
  std::vector<std::string> own;
  bool denied = false;
  std::optional<Millis> because_held;
  const bool fits =
      reconnects || terms.limit == kUnlimited || active - leaving.size() < terms.limit;
  if (!fits) {
    const std::size_t too_many = active - leaving.size() - terms.limit + 1;
    std::vector<Session> order = user.sessions;
    if (terms.on_limit == OnLimit::kEvictNewest) std::ranges::reverse(order);
    std::vector<Millis> waits;
    for (const Session& each : order) {
      if (std::ranges::count(leaving, each.name) > 0) continue;
      const bool is_own = viewers[each.name] == viewer;
      waits.push_back(
          is_own ? Millis(0)
                 : std::max(held, left_of(user, Mark::kProtected, viewers[each.name], now)));
      if (waits.back() > Millis(0) || evicted.size() == too_many) continue;
      evicted.push_back(each.name);
      (is_own ? own : displaced).push_back(each.name);
    }
    std::ranges::sort(waits);
    denied = terms.on_limit == OnLimit::kDeny || evicted.size() < too_many;
    if (denied) {
      evicted.clear();
      own.clear();
      std::erase_if(displaced, [&](const std::string& each) {
        return std::ranges::count(leaving, each) == 0;
      });
      if (terms.on_limit != OnLimit::kDeny) because_held = waits[too_many - 1];
      if (replace_would_help) because_held = held;
    }
  }
  if (denied && !observes) {
    Denied answer = deny(start, static_cast<std::uint32_t>(active) + 1, terms.limit, leaving, now);
    answer.hold_off = because_held;
    return answer;
  }
  if (observes) {
    own.clear();
    std::erase_if(displaced,
                  [&](const std::string& each) { return std::ranges::count(leaving, each) == 0; });
  }
  const bool changes_hands = reconnects &&
                             comes_back(user, on_device, session, start.details.ip, now) &&
                             (start.details.ip.empty() || start.details.ip != replaced.details.ip);
  const bool own_by_address = !own.empty() && viewer.starts_with("address ");
  const bool comes_back_at_home = own_by_address && comes_back(user, viewer, session, {}, now);
  for (const std::string& each : displaced) {
    mark(user, Mark::kHeldOff, find(user.sessions, each)->details, each, now);
  }
  for (const std::string& each : leaving) evict(user, each, start, now);
  if (!observes) {
    for (const std::string& each : evicted) evict(user, each, start, now);
    leaving.insert(leaving.end(), evicted.begin(), evicted.end());
    evicted.clear();
  }
  if (reconnects) {
    user.replaced[on_device + " session " + replaced.name] = now.instant;
    if (!replaced.details.ip.empty()) {
      user.replaced[on_device + " address " + replaced.details.ip] = now.instant;
    }
  }
  if (own_by_address) {
    for (const std::string& each : own) user.replaced[viewer + " session " + each] = now.instant;
  }
  if (!displaced.empty()) mark(user, Mark::kProtected, start.details, session, now);
  const auto change = [&](const std::string& whose, const Details& details) {
    const bool goes_on = std::ranges::any_of(user.hold_offs, [&](const HoldOff& each) {
      return each.mark == Mark::kFoughtOver && name_of(each) == whose &&
             each.since + policy.hold_off > now.instant;
    });
    const bool first = changes_of(user, whose, now) < 2 && !goes_on;
    mark(user, first ? Mark::kChangedHands : Mark::kFoughtOver, details, session, now);
  };
  if (changes_hands) change(on_device, {device, {}, {}, {}});
  if (comes_back_at_home) change(viewer, {{}, start.details.ip, {}, {}});
  Session added{next_id_++, session, now.instant, start.details};
  user.sessions.push_back(added);
  user.gone.erase(session);
  const Millis ttl = start.ttl.value_or(policy.lease);
  leases_[added.id] = {now.instant, now.instant + ttl, ttl, ttl};
  changed_ = true;
  Granted granted = grant(name, added, terms.limit, false, now);
  granted.evicted = std::move(leaving);
  granted.would_deny = denied;
  granted.would_evict = std::move(evicted);
  return granted;
}

// By a sign of life, perhaps with another lease.
void Model::relet(const Session& session, std::optional<Millis> ttl, const Now& now) {
  Lease& lease = leases_.at(session.id);
  if (ttl && *ttl != lease.ttl) {
    lease.ttl = *ttl;
    lease.is_unsure = true;
    relet_ = session.id;
    changed_ = true;
  }
  lease.seen = now.instant;
  lease.expires = now.instant + lease.ttl;
}

Answer Model::decide(const Heartbeat& beat, const Now& now) {
  const std::string name(beat.user.text());
  const std::string session(beat.session.text());
  User& user = state_.users[name];
  const auto known = find(user.sessions, session);
  if (known != user.sessions.end()) {
    if (is_earlier(beat.start, known->id)) {
      return concur::Gone{name, session, EndReason::kOtherStart, {}};
    }
    accept_start(beat.start, known->id);
    relet(*known, beat.ttl, now);
    return grant(name, *known, terms_of(name).limit, true, now);
  }
  const Gone* why = gone_of(user, session, now);
  if (why != nullptr && is_earlier(beat.start, why->id)) {
    return concur::Gone{name, session, EndReason::kOtherStart, {}};
  }
  if (const auto own = find(user.lapsed, session); own != user.lapsed.end()) {
    user.lapsed.erase(own);  // the others of the user are not looked at
    changed_ = true;
  }
  if (why == nullptr) return Unknown{name, session};
  concur::Gone answer{name, session, why->reason, {}};
  answer.message = why->message;
  if (why->reason == EndReason::kEvicted) answer.eviction = Eviction{why->by, now.to_wall(why->at)};
  return answer;
}

Answer Model::decide(const End& end, const Now& now) {
  Ended answer{std::string(end.user.text()), std::string(end.session.text()), false, 0, {}, {}};
  User& user = state_.users[answer.user];
  settle_lapsed(user);
  const Gone* gone = gone_of(user, answer.session, now);
  const auto known = find(user.sessions, answer.session);
  const bool is_active = known != user.sessions.end();
  if (is_active ? is_earlier(end.start, known->id)
                : gone != nullptr && is_earlier(end.start, gone->id)) {
    answer.reason = EndReason::kOtherStart;
  } else if (is_active) {
    Gone ended{EndReason::kEnded, {}, now.instant};
    ended.message = end.message;
    remove(user, answer.session, ended, now);
    changed_ = true;
    answer.ended = true;
  } else if (gone != nullptr) {
    answer.reason = gone->reason;
    answer.message = gone->message;
    if (answer.reason == EndReason::kEvicted) {
      answer.eviction = Eviction{gone->by, now.to_wall(gone->at)};
    }
  }
  answer.active = count(user.sessions);
  return answer;
}

Answer Model::decide(const ListUser& list, const Now& now) {
  const std::string name(list.user.text());
  UserSessions answer{name, count(state_.users[name].sessions), terms_of(name).limit, {}, {}};
  for (const Session& each : state_.users[name].sessions) {
    answer.sessions.push_back(info(name, each, now));
  }
  answer.blocked = block_of(name, now) != nullptr;
  return answer;
}

Answer Model::decide(const ListAll& /*list*/, const Now& now) {
  Page page;
  for (const auto& [name, user] : state_.users) {
    for (const Session& each : user.sessions) page.sessions.push_back(info(name, each, now));
  }
  return page;
}

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
  return {user, terms.limit, terms.from, who.rule.plan, terms.on_limit, count(who.sessions)};
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
