#include "fleet/desks.hpp"

#include "fleet/gone_memory.hpp"

#include <algorithm>
#include <random>
#include <type_traits>
#include <utility>
#include <variant>

namespace concur {

namespace {

// A start's number orders starts in time, and differs from box to box: milliseconds and chance.
constexpr std::int64_t kStartsAMilli = 16;
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

// What it says of sessions is as true as their leases are known, and leases are moved by others
// without a sign: so it is said of what was just read.
bool rests_on_leases(const Answer& answer) {
  return std::holds_alternative<Denied>(answer) || std::holds_alternative<UserSessions>(answer) ||
         std::holds_alternative<UserLimit>(answer) || std::holds_alternative<Purged>(answer);
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
  submit_where_unset(set.user.text(), set, now, std::move(reply));
}

void Desks::submit_where_unset(const SetBlock& set, const Now& now, Service::Reply reply) {
  submit_where_unset(set.user.text(), set, now, std::move(reply));
}

void Desks::submit_where_unset(std::string_view user, const Command& set, const Now& now,
                               Service::Reply reply) {
  Desk& desk = desk_of(user);
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
  if (!engine_is_whole) {
    if (!cut_off_at_) cut_off_at_ = now;
    return;
  }
  // The engine may have taken something after a look that found it away, and before the next.
  if (cut_off_at_ && now - *cut_off_at_ > kMaxCutOff) agreed_since_ = now - kMaxCutOff;
  cut_off_at_.reset();
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
  bound_leases(read.state, to_.judge.policy().longest, there);
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
  change.despite_full_memory = std::ranges::none_of(
      desk.deciding, [](const Pending& each) { return each.command && each.command->is_start(); });
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
      [](const Pending& each) { return each.command && each.command->is_start(); });
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

}  // namespace concur
