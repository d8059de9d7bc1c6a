// What the local service does in steps, so that nobody waits for the whole of it.
#include "service/local_service.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// A purge of all users: slots looked at between two turns of the loop, changes waiting for the
// journal beyond which it rests, and how many may be under way.
constexpr std::uint32_t kPurgeStep = 512;
constexpr std::size_t kPurgeBacklog = 1024;
constexpr std::size_t kMostPurges = 16;

constexpr std::uint32_t kSweepStep = 64;     // slots looked at between two turns of the loop
constexpr std::uint32_t kLeastSwept = 4096;  // slots a tick: a small house is tidied at each
// Changes waiting for the journal, beyond which the sweeper rests: a start waits for as many too.
constexpr std::size_t kSweepBacklog = 64;
// For each moment that a commit takes, where there is more to sweep: starts must have the better
// part of the journal's time, also when a million sessions expire at once.
constexpr int kSweepRest = 2;

}  // namespace

// --- purging all users ---

void LocalService::begin_purge(const Purge& purge, Reply reply) {
  if (purges_.size() >= kMostPurges) {
    meters_.failed(CommandKind::kOther);
    return reply(Error{ErrorKind::kUnavailable, "cannot purge: others are under way; try again"});
  }
  purges_.push_back(
      {purge, registry_.begin_purge(), look_at_clock().since_boot, std::move(reply)});
  // What is decided next finds the first step taken: in a small house that is all of it.
  if (purges_.size() == 1 && !purge_scheduled_) purge_step();
  go_on_purging();
}

// In a later turn of the loop, or after a commit where enough waits for that.
void LocalService::go_on_purging() {
  if (changes_waiting() < kPurgeBacklog) schedule_purge();
}

void LocalService::schedule_purge() {
  if (purges_.empty() || purge_scheduled_) return;
  purge_scheduled_ = true;
  boost::asio::post(loop_, [this] {
    purge_scheduled_ = false;
    purge_step();
    go_on_purging();
  });
}

// What they have purged stays purged. Those that only count go on, unless the service ends.
void LocalService::refuse_purges(const std::string& message) {
  for (Purging& each : std::exchange(purges_, {})) {
    if (each.purge.dry_run && !finishing_) {
      purges_.push_back(std::move(each));
      continue;
    }
    meters_.failed(CommandKind::kOther);
    each.reply(Error{ErrorKind::kUnavailable, message});
  }
}

void LocalService::purge_step() {
  if (purges_.empty()) return;
  Purging& purging = purges_.front();
  Decision decision = decided(
      registry_.purge_some(purging.purge, purging.cursor, kPurgeStep, look_at_clock()));
  auto& purged = std::get<Purged>(decision.answer);
  purging.count += purged.count;
  if (!purging.cursor.done()) return;
  purged.count = purging.count;
  Purging done = std::move(purging);
  purges_.pop_front();
  answer_when_durable(CommandKind::kOther, done.since, std::move(decision), std::move(done.reply));
}

// --- sweeping ---

// How long one look at every slot may take. A saved lease must not lag by a third of it, and a look
// can be late.
Millis LocalService::lap() const {
  return std::clamp<Millis>(registry_.shortest_lease() / 4, Millis(250), std::chrono::seconds(10));
}

void LocalService::schedule_sweep() {
  sweep_timer_.expires_after(std::min<Millis>(lap(), std::chrono::seconds(1)));
  sweep_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) start_sweep();
  });
}

void LocalService::start_sweep() {
  left_to_sweep_ = 0;
  denials_.tick(look_at_clock().instant);
  watch_wal();
  if (!trouble_.empty()) {
    if (!committing()) hand_over();
    schedule_sweep();
    return;
  }
  const auto tick = std::min<Millis>(lap(), std::chrono::seconds(1));
  const auto share =
      static_cast<std::uint64_t>(registry_.slots()) * tick.count() / lap().count() + 1;
  sweep_step(std::max(kLeastSwept, static_cast<std::uint32_t>(share)));
}

// In steps between turns of the loop, and between commits where there is much to forget.
void LocalService::sweep_step(std::uint32_t slots) {
  if (finishing_) return;
  left_to_sweep_ = slots;
  if (changes_waiting() >= kSweepBacklog) return schedule_sweep();
  sweep_some(kSweepStep);
  if (left_to_sweep_ == 0) return schedule_sweep();
  boost::asio::post(loop_, [this, left = std::exchange(left_to_sweep_, 0)] { sweep_step(left); });
}

void LocalService::sweep_some(std::uint32_t most) {
  const std::uint32_t step = std::min({left_to_sweep_, most, registry_.slots()});
  registry_.sweep(step, 2 * lap(), look_at_clock());
  if (registry_.has_changes()) schedule_flush();
  left_to_sweep_ = step == registry_.slots() ? 0 : left_to_sweep_ - step;
}

// After a commit, where that comes before the next tick. One that failed undid what was swept.
void LocalService::go_on_sweeping() {
  if (left_to_sweep_ == 0 || !trouble_.empty() || finishing_) return;
  if (changes_waiting() >= kSweepBacklog) {
    // There may never be fewer: as much as is due in the time of a commit, but for one that hung.
    const auto took = std::min<std::chrono::nanoseconds>(commit_took_, lap());
    const auto due = static_cast<std::uint32_t>(registry_.slots() * took / lap());
    return sweep_some(std::clamp(due, kSweepStep, kLeastSwept));
  }
  const std::uint32_t slots = std::exchange(left_to_sweep_, 0);
  sweep_timer_.expires_after(kSweepRest * commit_took_);
  sweep_timer_.async_wait([this, slots](const boost::system::error_code& cancelled) {
    if (!cancelled) sweep_step(slots);
  });
}

std::size_t LocalService::changes_waiting() const {
  std::size_t changes = registry_.pending_changes();
  for (const Group& group : under_way_) changes += group.changes;
  return changes;
}

}  // namespace concur
