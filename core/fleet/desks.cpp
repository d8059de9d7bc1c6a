#include "fleet/desks.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <random>
#include <type_traits>
#include <utility>
#include <variant>

namespace concur {

namespace {

// A start's number orders starts in time, and differs from box to box: milliseconds and chance.
constexpr std::int64_t kStartsAMilli = 16;
constexpr Millis kKeptLonger = std::chrono::hours(2);  // by the engine, than the longest thing
constexpr Millis kLongMemory = std::chrono::hours(24);
constexpr Millis kLongLease = std::chrono::minutes(5);

std::uint32_t chance(std::uint32_t below) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return static_cast<std::uint32_t>(random()) % below;
}

std::size_t bytes_of(const UserFields& fields) {
  std::size_t bytes = sizeof(UserFields);
  for (const engine::Field& each : fields) {
    bytes += sizeof each + each.name.size() + (each.value ? each.value->size() : 0);
  }
  return bytes;
}

std::string_view session_of(const Command& command) {
  if (const auto* start = std::get_if<Start>(&command)) return start->session.text();
  if (const auto* beat = std::get_if<Heartbeat>(&command)) return beat->session.text();
  return {};
}

template <class Entries>
auto* find_session(Entries& entries, std::string_view session) {
  const auto found = std::ranges::find_if(
      entries, [session](const auto& each) { return each.row.session == session; });
  return found == entries.end() ? nullptr : &*found;
}

bool is_in(const std::vector<std::pair<std::string, Instant>>& gone, const GoneRow& row) {
  return std::ranges::find(gone, std::pair(row.session, row.at)) != gone.end();
}

// How long it is kept who is gone, and why.
Millis memory_of(const Policy& policy, const UserState::Gone& gone) {
  const Millis usual = std::max({policy.lease, policy.hold_off, kRememberGone, gone.row.ttl});
  const bool by_client =
      gone.row.reason == EndReason::kExpired || (gone.row.reason == EndReason::kEnded && !gone.far);
  return by_client ? usual : std::max(usual, kLongMemory);
}

// Those whose time is over go; and where they are too many, those that clients ended first.
void prune_gone(const Policy& policy, UserState& state, Instant now) {
  std::erase_if(state.gone, [&](const UserState::Gone& each) {
    return each.row.at + memory_of(policy, each) <= now;
  });
  const auto drop_oldest = [&state](auto which) {
    while (state.gone.size() > kMaxFleetGone) {
      const auto oldest = std::ranges::find_if(state.gone, which);
      if (oldest == state.gone.end()) return;
      state.gone.erase(oldest);
    }
  };
  drop_oldest([](const UserState::Gone& each) {
    return each.row.reason == EndReason::kEnded || each.row.reason == EndReason::kExpired;
  });
  drop_oldest([](const UserState::Gone&) { return true; });
}

engine::Expiry expiry_of(const Policy& policy, const UserState& state, Instant now) {
  if (!state.rule.empty()) return {engine::Expiry::Kind::kForGood, {}};
  Millis longest = std::max({policy.lease, policy.hold_off, kRememberGone});
  for (const auto& each : state.sessions) longest = std::max<Millis>(longest, each.row.ttl);
  for (const auto& each : state.gone) {
    longest = std::max<Millis>(longest, each.row.at + memory_of(policy, each) - now);
  }
  return {engine::Expiry::Kind::kAtLeast, longest + kKeptLonger};
}

EventKind event_of(EndReason reason) {
  switch (reason) {
    case EndReason::kExpired:
      return EventKind::kExpired;
    case EndReason::kEvicted:
      return EventKind::kEvicted;
    case EndReason::kPurged:
      return EventKind::kPurged;
    case EndReason::kEnded:
    case EndReason::kOtherStart:
      break;
  }
  return EventKind::kEnded;
}

// What it says of sessions is as true as their leases are known, and leases are moved by others
// without a sign: so it is said of what was just read.
bool rests_on_leases(const Answer& answer) {
  return std::holds_alternative<Denied>(answer) || std::holds_alternative<UserSessions>(answer) ||
         std::holds_alternative<UserLimit>(answer) || std::holds_alternative<Purged>(answer);
}

// A session's lease, as it was read.
struct Lease {
  std::string session;
  std::int64_t id = 0;
  Millis ttl{};
  std::uint32_t start = 0;
  Instant last_seen;
  Instant expires;
};

Lease lease_of(const Row& row) {
  return {row.session, row.id, row.ttl, row.start, row.last_seen, row.expires};
}

// Whose lease nobody renewed keeps it to the millisecond: another box may have given it by a clock
// that it knows better, and to write it would say that this one serves it.
void keep_leases(const std::vector<Lease>& leases, const std::vector<std::string>& renewed,
                 UserState& state) {
  for (const Lease& each : leases) {
    auto* const session = find_session(state.sessions, each.session);
    if (session == nullptr || session->row.id != each.id || session->row.ttl != each.ttl ||
        session->row.start != each.start ||
        std::ranges::find(renewed, each.session) != renewed.end()) {
      continue;
    }
    session->row.last_seen = each.last_seen;
    session->row.expires = each.expires;
  }
}

bool is_start(const Command& command) { return std::holds_alternative<Start>(command); }

void mark_degraded(Answer& answer) {
  std::visit(
      [](auto& each) {
        if constexpr (requires { each.degraded; }) each.degraded = true;
      },
      answer);
}

}  // namespace

Desks::Desks(Surroundings surroundings, const FleetConfig& config, std::string prefix,
             std::uint64_t box)
    : to_(std::move(surroundings)),
      unavailable_(config.unavailable),
      timeout_(config.timeout),
      most_bytes_(config.cache),
      prefix_(std::move(prefix)),
      box_(box) {}

// --- what is asked ---

Desks::Desk& Desks::desk_of(std::string_view user) {
  const auto [found, is_new] = desks_.try_emplace(std::string(user));
  Desk& desk = found->second;
  if (is_new) {
    desk.user = user;
    desk.key = user_key(prefix_, user);
  }
  return desk;
}

void Desks::submit(std::string_view user, const Command& command, const Now& now,
                   Service::Reply reply) {
  Desk& desk = desk_of(user);
  begin_command();
  desk.waiting.push_back({KeptCommand(command), std::move(reply), now.instant + timeout_});
  enqueue(desk);
}

void Desks::submit_where_unset(const SetLimit& set, const Now& now, Service::Reply reply) {
  Desk& desk = desk_of(set.user.text());
  begin_command();
  desk.waiting.push_back({KeptCommand(set), std::move(reply), now.instant + timeout_, 0, true});
  enqueue(desk);
}

void Desks::sync(std::string_view user) {
  Desk& desk = desk_of(user);
  ++syncs_;
  desk.waiting.push_back({std::nullopt, {}, to_.clock.now().instant + timeout_});
  enqueue(desk);
}

void Desks::sync_all() {
  for (std::string& user : to_.served.users_to_tell(kLongLease))
    to_sync_.push_back(std::move(user));
  for (const std::string& user : unsynced_) to_sync_.push_back(user);
  unsynced_.clear();
}

void Desks::sync_all_served() {
  for (std::string& user : to_.served.users_to_tell(Millis(0))) to_sync_.push_back(std::move(user));
}

void Desks::tick(bool engine_is_whole) {
  const Instant now = to_.clock.now().instant;
  for (const std::string& user : to_.served.take_due(kMaxSyncs, now)) sync(user);
  if (!engine_is_whole) return;
  if (to_sync_.empty() && !unsynced_.empty()) {
    for (const std::string& user : unsynced_) to_sync_.push_back(user);
    unsynced_.clear();
  }
  while (!to_sync_.empty() && syncs_ < kMaxSyncs) {
    sync(to_sync_.front());
    to_sync_.pop_front();
  }
}

void Desks::enqueue(Desk& desk) {
  if (desk.busy) return;
  desk.busy = true;
  desk.unlink();
  ready_.push_back(&desk);
  to_.turn.at(Turn::Stage::kPublish, ready_step_);
}

void Desks::run_ready() {
  for (Desk* const desk : std::exchange(ready_, {})) decide(*desk);
}

// --- deciding ---

Millis Desks::ahead_of(const Desk& desk, const Now& now) const {
  const auto bounds = to_.engine.clock_of(desk.key);
  return bounds ? bounds->earliest : now.offset();
}

std::int64_t Desks::new_start(Instant at) {
  const std::int64_t by_time =
      at.time_since_epoch().count() * kStartsAMilli + chance(kStartsAMilli);
  last_start_ = std::max(last_start_ + 1, by_time);
  return last_start_;
}

void Desks::decide(Desk& desk) {
  std::move(desk.waiting.begin(), desk.waiting.end(), std::back_inserter(desk.deciding));
  desk.waiting.clear();
  const Now now = to_.clock.now();
  const Millis ahead = ahead_of(desk, now);
  const Instant there = now.instant + ahead;
  desk.asked = now.since_boot;
  ReadUser read = read_user(desk.user, desk.known, there);
  UserFields lapsed;
  for (const UserState::Session& each : read.state.sessions) {
    if (each.row.expires > there) continue;
    const std::string name = "l" + each.row.session;
    if (const std::string* lease = value_of(desk.known, name)) lapsed.push_back({name, *lease});
  }
  desk.decided = judge(desk, read, now, ahead, false);
  desk.decided.change = difference(desk.known, write_user(desk.decided.after), read);
  if (desk.decided.change.empty() && desk.fresh) return settle(desk);
  if (!desk.fresh && std::ranges::any_of(desk.decided.answers, rests_on_leases)) {
    desk.decided.change.clear();
  }
  ask(desk, read, lapsed);
}

// What the commands lead to on that state, which is used up.
Desks::Decided Desks::judge(Desk& desk, ReadUser& read, const Now& now, Millis ahead, bool away) {
  Decided decided;
  decided.ahead = ahead;
  decided.now = {now.instant + ahead, {}, now.asleep, now.since_boot};
  const Instant there = decided.now.instant;
  decided.reclaimed = to_.served.heal(read.state, box_, ahead, now.instant);
  if (away && unavailable_ == Unavailable::kLocal) {
    // Only this box's sessions make room for others: the rest are as protected.
    for (const UserState::Session& each : read.state.sessions) {
      if (each.box == box_) continue;
      const Details details = each.row.details ? *each.row.details : Details();
      read.state.marks.push_back(
          {0, {}, each.row.session, details.device, there, details.ip, Mark::kProtected});
    }
  }
  std::vector<Lease> leases;
  for (const UserState::Session& each : read.state.sessions) leases.push_back(lease_of(each.row));
  for (UserState::Session& each : read.state.sessions) {
    // As if it had another moment.
    Instant& expires = each.row.expires;
    const Instant patience = expires + heartbeat_interval(each.row.ttl);
    if (now.instant < grace_until_ && expires <= there && patience > there) {
      expires = there + Millis(1);
    }
  }
  std::vector<std::pair<std::string, Instant>> gone_before;
  for (const auto& each : read.state.gone) gone_before.emplace_back(each.row.session, each.row.at);
  std::vector<std::pair<std::string, std::uint64_t>> boxes;
  std::int64_t last_start = 0;
  for (const auto& each : read.state.sessions) {
    boxes.emplace_back(each.row.session, each.box);
    last_start = std::max(last_start, each.row.id);
  }
  for (const auto& each : read.state.gone) last_start = std::max(last_start, each.row.row);
  UserState before;  // what the commands are looked up in
  before.user = desk.user;
  before.rule = read.state.rule;
  for (const auto& each : read.state.sessions) {
    UserState::Session session;
    session.row.session = each.row.session;
    session.row.expires = each.row.expires;
    before.sessions.push_back(std::move(session));
  }
  to_.judge.open(std::move(read.state), decided.now);
  std::vector<std::string> here;
  for (Pending& each : desk.deciding) {
    if (!each.command) {
      to_.judge.expire();
      decided.answers.emplace_back(Unknown{});
      continue;
    }
    decided.answers.push_back(judge_one(each, before, last_start, decided.now));
    if (std::holds_alternative<Granted>(decided.answers.back())) {
      here.emplace_back(session_of(each.command->get()));
    }
  }
  decided.after = to_.judge.close();
  decided.events = to_.judge.take_events();
  decided.notes = to_.judge.take_notes();
  for (UserState::Session& each : decided.after.sessions) {
    if (std::ranges::find(here, each.row.session) != here.end()) each.box = box_;
  }
  for (Answer& each : decided.answers) name_boxes(each, decided.after);
  keep_leases(leases, here, decided.after);
  for (UserState::Gone& each : decided.after.gone) {
    if (is_in(gone_before, each.row)) continue;
    const auto box =
        std::ranges::find(boxes, each.row.session, &std::pair<std::string, std::uint64_t>::first);
    each.far = box != boxes.end() && box->second != box_;
    if (each.far && each.row.reason != EndReason::kExpired) decided.to_tell.push_back(box->second);
    if (each.row.reason != EndReason::kExpired) decided.removed.push_back(copy_of(each.row));
  }
  prune_gone(to_.judge.policy(), decided.after, there);
  std::erase_if(decided.after.marks, [](const HoldOffRow& each) { return each.id == 0; });
  return decided;
}

// Says of the sessions that it lists who serves them.
void Desks::name_boxes(Answer& answer, const UserState& state) const {
  std::vector<SessionInfo>* listed = nullptr;
  if (auto* denied = std::get_if<Denied>(&answer)) listed = &denied->sessions;
  if (auto* sessions = std::get_if<UserSessions>(&answer)) listed = &sessions->sessions;
  if (listed == nullptr) return;
  for (SessionInfo& each : *listed) {
    if (const auto* known = find_session(state.sessions, each.session)) {
      each.box = to_.label_of(known->box);
    }
  }
}

Answer Desks::judge_one(Pending& pending, const UserState& before, std::int64_t& last_start,
                        const Now& now) {
  const Command& command = pending.command->get();
  const auto* const start = std::get_if<Start>(&command);
  if (pending.where_unset && !before.rule.empty()) {
    return to_.judge.apply(ShowLimit{std::get<SetLimit>(command).user}, last_start + 1);
  }
  if (start == nullptr) return to_.judge.apply(command, last_start + 1);
  const auto* const known = find_session(before.sessions, start->session.text());
  const bool is_new = known == nullptr || known->row.expires <= now.instant;
  const std::uint32_t most = to_.judge.policy().max_sessions;
  if (is_new && most != 0 && to_.served.sessions() >= most) {
    return Refused{{ErrorKind::kUnavailable,
                    text::format("cannot start session {} of user {}: there are {} sessions, the "
                                 "most that max-sessions allows",
                                 start->session.text(), start->user.text(), most)}};
  }
  if (is_new && before.sessions.size() >= kMaxFleetSessions) {
    return Refused{{ErrorKind::kUnavailable,
                    text::format("cannot start session {} of user {}: the user has {} sessions, "
                                 "the most in a fleet",
                                 start->session.text(), start->user.text(), kMaxFleetSessions)}};
  }
  if (pending.start <= last_start) pending.start = std::max(new_start(now.instant), last_start + 1);
  last_start = pending.start;
  return to_.judge.apply(command, pending.start);
}

// --- committing ---

void Desks::ask(Desk& desk, const ReadUser& read, const UserFields& lapsed) {
  Decided& decided = desk.decided;
  Instant deadline = Instant::max();
  for (const Pending& each : desk.deciding) deadline = std::min(deadline, each.deadline);
  if (decided.change.empty()) {
    decided = {};
    to_.engine.read(desk.key, {}, deadline, [this, &desk](engine::ReadOutcome&& outcome) {
      on_read(desk, std::move(outcome));
    });
    return;
  }
  engine::Change change;
  change.key = desk.key;
  const auto is_lease = [](const engine::Field& each) { return each.name.front() == 'l'; };
  const bool only_leases = std::ranges::all_of(decided.change, is_lease);
  change.guards.push_back({"v", read.version.empty() ? std::nullopt : std::optional(read.version)});
  for (const engine::Field& each : decided.change) {
    if (!is_lease(each)) continue;
    if (const std::string* known = value_of(desk.known, each.name)) {
      change.guards.push_back({each.name, *known});
    }
  }
  for (const engine::Field& each : lapsed) {
    if (std::ranges::find(change.guards, each) == change.guards.end()) {
      change.guards.push_back(each);
    }
  }
  if (!only_leases) {
    decided.change_number = random_change_number();
    decided.change.push_back({"v", version_after(decided.change_number, read.version)});
  }
  change.fields = decided.change;
  const auto clock = to_.engine.clock_of(desk.key);
  const Millis latest = clock ? clock->latest : decided.ahead;
  if (clock) change.not_after = WallTime((deadline + latest).time_since_epoch());
  change.expiry = expiry_of(to_.judge.policy(), decided.after, decided.now.instant);
  if (only_leases) change.expiry.kind = engine::Expiry::Kind::kProlong;
  change.despite_full_memory = std::ranges::none_of(desk.deciding, [](const Pending& each) {
    return each.command && is_start(each.command->get());
  });
  change.acknowledged = !only_leases;
  to_.engine.change(change, deadline, [this, &desk](engine::ChangeOutcome&& outcome) {
    on_change(desk, std::move(outcome));
  });
}

void Desks::on_read(Desk& desk, engine::ReadOutcome&& outcome) {
  if (!outcome.available) {
    ++to_.counts.requests.unavailable;
    return decide_away(desk, outcome.cause, false);
  }
  measure(desk);
  decide_again(desk, std::move(outcome.fields));
}

void Desks::on_change(Desk& desk, engine::ChangeOutcome&& outcome) {
  using Result = engine::ChangeOutcome::Result;
  Decided& decided = desk.decided;
  switch (outcome.result) {
    case Result::kApplied:
      measure(desk);
      apply_change(desk.known, std::move(decided.change));
      return settle(desk);
    case Result::kGuarded: {
      measure(desk);
      sort_fields(outcome.fields);
      const std::string* const version = value_of(outcome.fields, "v");
      // An earlier attempt of the same was in time.
      if (outcome.repeated && !decided.change_number.empty() && version != nullptr &&
          version_has(*version, decided.change_number)) {
        const std::string now_there = *version;
        desk.known = std::move(outcome.fields);
        return acknowledge(desk, now_there);
      }
      if (++desk.refusals > 1) ++to_.counts.conflicts;
      return decide_again(desk, std::move(outcome.fields));
    }
    case Result::kLate:
      ++to_.counts.requests.late;
      return decide_away(desk, "the engine answered too late", false);
    case Result::kFull:
      ++to_.counts.requests.full;
      put_back_but_starts(desk);
      return decide_away(desk, "the engine's memory is full", false);
    case Result::kUnavailable:
      ++to_.counts.requests.unavailable;
      return decide_away(desk, outcome.cause, outcome.repeated);
  }
}

// All else takes no more memory, and is decided next.
void Desks::put_back_but_starts(Desk& desk) {
  const auto rest = std::stable_partition(
      desk.deciding.begin(), desk.deciding.end(),
      [](const Pending& each) { return each.command && is_start(each.command->get()); });
  desk.waiting.insert(desk.waiting.begin(), std::make_move_iterator(rest),
                      std::make_move_iterator(desk.deciding.end()));
  desk.deciding.erase(rest, desk.deciding.end());
}

// An attempt whose answer was lost was applied. Only another write on this connection lets a
// replica be waited for; whatever comes of it, the change stands.
void Desks::acknowledge(Desk& desk, const std::string& version) {
  engine::Change change;
  change.key = desk.key;
  change.guards.push_back({"v", version});
  change.fields.push_back({"v", version_after(random_change_number(), version)});
  change.despite_full_memory = true;
  change.acknowledged = true;
  const std::string next = *change.fields.front().value;
  const Instant deadline = to_.clock.now().instant + timeout_;
  to_.engine.change(change, deadline, [this, &desk, next](engine::ChangeOutcome&& outcome) {
    if (outcome.result == engine::ChangeOutcome::Result::kApplied) {
      apply_change(desk.known, {{"v", next}});
    }
    settle(desk);
  });
}

// From the second refusal on after a pause, so that of two who are as busy one gets through.
void Desks::decide_again(Desk& desk, UserFields&& fields) {
  sort_fields(fields);
  desk.known = std::move(fields);
  desk.fresh = true;
  desk.away.reset();
  desk.decided = {};
  const auto again = [this, &desk] {
    ready_.push_back(&desk);
    to_.turn.at(Turn::Stage::kPublish, ready_step_);
  };
  if (desk.refusals < 2) return again();
  auto timer = std::make_shared<boost::asio::steady_timer>(to_.loop);
  timer->expires_after(std::chrono::microseconds(500 + chance(1000 * std::min(desk.refusals, 8U))));
  timer->async_wait([timer, again](const boost::system::error_code& cancelled) {
    if (!cancelled) again();
  });
}

void Desks::measure(Desk& desk) {
  ++to_.counts.requests.answered;
  to_.counts.request_durations.add((to_.clock.since_boot() - desk.asked).count());
}

// --- what comes of it ---

void Desks::settle(Desk& desk) {
  Decided decided = std::exchange(desk.decided, {});
  desk.away.reset();
  to_.counts.reclaimed += decided.reclaimed;
  notice_taken(decided);
  for (const std::uint64_t each : decided.to_tell) to_.tell(each, desk.user);
  to_.served.update(decided.after, box_, std::move(decided.removed), decided.ahead,
                    to_.clock.now().instant);
  to_.judge.count(desk.user, decided.notes, decided.now);
  to_.publish(std::move(decided.events));
  finish(desk, std::move(decided.answers));
}

// Sessions served here that another box ended: whoever watches at this box is told, too.
void Desks::notice_taken(Decided& decided) const {
  const Served::OfUser* const of = to_.served.find(decided.after.user);
  if (of == nullptr) return;
  for (const Served::Session& each : of->sessions) {
    const auto* const gone = find_session(decided.after.gone, each.row.session);
    if (gone == nullptr || gone->row.row != each.row.id) continue;
    if (gone->row.reason == EndReason::kExpired) continue;
    const bool by_us = std::ranges::any_of(decided.removed, [&each](const GoneRow& removed) {
      return removed.session == each.row.session;
    });
    if (by_us) continue;
    Event event;
    event.kind = event_of(gone->row.reason);
    event.active = static_cast<std::uint32_t>(decided.after.sessions.size());
    event.user = PackedText(decided.after.user);
    event.session = PackedText(each.row.session);
    event.at = WallTime(gone->row.at.time_since_epoch());
    if (gone->row.by) {
      event.more = std::make_unique<EventMore>(EventMore{{}, *gone->row.by, {}});
    }
    decided.events.push_back(std::move(event));
  }
}

void Desks::finish(Desk& desk, std::vector<Answer>&& answers) {
  std::vector<Pending> done = std::exchange(desk.deciding, {});
  desk.fresh = false;
  desk.refusals = 0;
  desk.busy = false;
  remember(desk);
  if (!desk.waiting.empty()) enqueue(desk);
  // A reply may ask for more.
  for (std::size_t i = 0; i < done.size(); ++i) {
    if (!done[i].command) {
      --syncs_;
      continue;
    }
    end_command();
    done[i].reply(std::move(answers[i]));
  }
}

// Whoever was asked about longest ago is forgotten first; to ask the engine again costs a round
// trip.
void Desks::remember(Desk& desk) {
  const std::size_t bytes = sizeof(Desk) + desk.user.size() + desk.key.size() +
                            bytes_of(desk.known) + (desk.away ? bytes_of(*desk.away) : 0);
  bytes_ += bytes - std::exchange(desk.bytes, bytes);
  desk.unlink();
  idle_.push_back(desk);
  while (bytes_ > most_bytes_ && &idle_.front() != &desk) {
    Desk& oldest = idle_.front();
    bytes_ -= oldest.bytes;
    oldest.unlink();
    desks_.erase(desks_.find(oldest.user));
  }
}

// --- without the engine ---

void Desks::refuse(Pending& pending, ErrorKind kind, const std::string& cause) {
  if (!pending.command) return;
  ++to_.counts.local_decisions.refused;
  pending.reply(Error{kind, "cannot ask the fleet's engine: " + cause});
}

// Starts by the policy, all else by what is known here; each is told so.
void Desks::decide_away(Desk& desk, const std::string& cause, bool unknown) {
  desk.decided = {};
  const Now now = to_.clock.now();
  const Millis ahead = ahead_of(desk, now);
  const Instant there = now.instant + ahead;
  ReadUser read = read_user(desk.user, desk.away ? *desk.away : desk.known, there);
  to_.served.forget_over(desk.user, now.instant);
  to_.served.heal(read.state, box_, ahead, now.instant);
  std::vector<Pending> refused;
  std::erase_if(desk.deciding, [&](Pending& each) {
    if (!each.command) return false;
    const Command& command = each.command->get();
    bool takes = std::holds_alternative<End>(command);
    if (const auto* start = std::get_if<Start>(&command)) {
      const auto* known = find_session(read.state.sessions, start->session.text());
      const bool renews = known != nullptr && known->row.expires > there;
      takes = renews || unavailable_ != Unavailable::kDeny;
      if (!takes && unknown && each.start != 0) {
        GoneRow gone;
        gone.session = start->session.text();
        gone.reason = EndReason::kEnded;
        gone.at = now.instant;
        gone.ttl = start->ttl.value_or(to_.judge.policy().lease);
        gone.row = each.start;
        to_.served.withdraw(desk.user, std::move(gone));
      }
      if (takes && !renews && unavailable_ == Unavailable::kAllow) {
        Start unlimited = *start;
        unlimited.limit = kUnlimited;
        KeptCommand kept{Command(unlimited)};
        each.command = std::move(kept);
      }
    } else if (const auto* beat = std::get_if<Heartbeat>(&command)) {
      const std::string_view name = beat->session.text();
      auto* known = find_session(read.state.sessions, name);
      auto* gone = find_session(read.state.gone, name);
      if (gone != nullptr && gone->row.reason == EndReason::kExpired) {
        read.state.gone.erase(read.state.gone.begin() + (gone - read.state.gone.data()));
        gone = nullptr;
      }
      const bool is_known = (known != nullptr && known->row.expires > there) || gone != nullptr;
      takes = is_known || unavailable_ != Unavailable::kDeny;
      if (takes && !is_known) {
        // Somebody plays it: another box's, or one that was forgotten here.
        if (known == nullptr) {
          UserState::Session adopted;
          adopted.row.session = name;
          adopted.row.id = beat->start ? static_cast<std::int64_t>(beat->start->id) : 0;
          if (adopted.row.id <= 0 || adopted.row.id > new_start(there)) {
            adopted.row.id = new_start(there);
          }
          adopted.row.started = there;
          adopted.row.ttl = beat->ttl.value_or(to_.judge.policy().lease);
          read.state.sessions.push_back(std::move(adopted));
          known = &read.state.sessions.back();
        }
        known->row.last_seen = there;
        known->row.expires = there + known->row.ttl;
      }
    }
    if (!takes) refused.push_back(std::move(each));
    return !takes;
  });
  Decided decided = judge(desk, read, now, ahead, true);
  for (Answer& each : decided.answers) {
    mark_degraded(each);
    if (const auto* granted = std::get_if<Granted>(&each)) {
      ++(granted->renewed ? to_.counts.local_decisions.renewed
                          : to_.counts.local_decisions.started);
    } else if (std::holds_alternative<Denied>(each)) {
      ++to_.counts.local_decisions.denied;
    } else if (std::holds_alternative<Ended>(each)) {
      ++to_.counts.local_decisions.ended;
    }
  }
  desk.away = write_user(decided.after);
  unsynced_.insert(desk.user);
  to_.served.update(decided.after, box_, std::move(decided.removed), ahead, now.instant);
  to_.judge.count(desk.user, decided.notes, decided.now);
  to_.publish(std::move(decided.events));
  const ErrorKind kind = unknown ? ErrorKind::kTimeout : ErrorKind::kUnavailable;
  finish(desk, std::move(decided.answers));
  for (Pending& each : refused) {
    end_command();
    refuse(each, kind, cause);
  }
}

}  // namespace concur
