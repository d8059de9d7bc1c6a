// The model's part about starts, heartbeats, ends and lists.
#include "model.hpp"
#include "model_parts.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

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

  const auto known = find_session(user.sessions, session);
  if (known != user.sessions.end()) {
    const std::size_t counted = user.sessions.size() - (overlapping(user) == nullptr ? 0 : 1);
    const bool above =
        start.refuse_repeat_above_limit && terms.limit != kUnlimited && counted > terms.limit;
    if (above && !observes) return deny(start, count_of(user.sessions), terms.limit, {}, now);
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
    Blocked blocked{name, session, count_of(user.sessions), terms.limit, block->message};
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
  const bool lets_in = !fits && may_overlap(user, terms, leaving, now);
  std::optional<Overlap> overlap;
  if (lets_in || (reconnects && replaced.overlap)) {
    const Session* other = overlapping(user);
    const bool takes_place = other != nullptr && std::ranges::count(leaving, other->name) > 0;
    overlap = {takes_place ? overlap_end(*other) - now.instant : policy.overlap, start.limit};
  }
  if (!fits && !lets_in) {
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
    mark(user, Mark::kHeldOff, find_session(user.sessions, each)->details, each, now);
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
      return each.mark == Mark::kFoughtOver && concur::simulation::viewer_of(each) == whose &&
             each.since + policy.hold_off > now.instant;
    });
    const bool first = changes_of(user, whose, now) < 2 && !goes_on;
    mark(user, first ? Mark::kChangedHands : Mark::kFoughtOver, details, session, now);
  };
  if (changes_hands) change(on_device, {device, {}, {}, {}});
  if (comes_back_at_home) change(viewer, {{}, start.details.ip, {}, {}});
  Session added{next_id_++, session, now.instant, start.details, overlap};
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
  const auto known = find_session(user.sessions, session);
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
  if (const auto own = find_session(user.lapsed, session); own != user.lapsed.end()) {
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
  const auto known = find_session(user.sessions, answer.session);
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
  answer.active = count_of(user.sessions);
  return answer;
}

Answer Model::decide(const ListUser& list, const Now& now) {
  const std::string name(list.user.text());
  UserSessions answer{name, count_of(state_.users[name].sessions), terms_of(name).limit, {}, {}};
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

}  // namespace concur::simulation
