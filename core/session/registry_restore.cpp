// The registry's part at start-up: taking in what was stored.
#include "session/registry.hpp"

#include <algorithm>
#include <utility>

namespace concur {

bool Registry::restore(StoredRow row, const Now& now) {
  return std::visit([&](auto& each) { return restore_row(std::move(each), now); }, row);
}

void Registry::prefetch(std::span<const StoredRow> rows) {
  for (const StoredRow& row : rows) {
    if (const auto* session = std::get_if<Row>(&row)) state_->table.prefetch(session->user);
  }
  state_->table.run_prefetches();
}

void Registry::reserve_rows(std::int64_t upto, const Now& now) {
  constexpr std::int64_t kMax = Int48::kMax / 4;  // in the year 3084
  const auto by_time = std::clamp<std::int64_t>(now.wall().time_since_epoch() / Millis(1), 0, kMax);
  next_row_ = std::max(std::max(next_row_, upto + 1) + kRowLeap, by_time);
  state_->reserve_gone(upto);
}

bool Registry::restore_row(Row row, const Now& now) {
  const Slot slot = state_->add_absent(row.user, row.session);
  if (slot == kNoSlot) return false;
  const Millis ttl = std::clamp(row.ttl, kMinLease, kMaxLease);
  SessionSlot& session = state_->session(slot);
  session.row = row.id;
  set_ttl(session, ttl);
  session.set_started(std::min(row.started, now.instant));
  state_->give_lease(
      session, std::min(row.last_seen, now.instant),
      std::clamp(row.expires, now.instant + heartbeat_interval(ttl), now.instant + ttl));
  UserSlot& owner = state_->user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  session.start = row.start;
  if (row.details) state_->table.set_details(slot, std::move(*row.details));
  if (row.overlap) state_->begin_overlap(slot, *row.overlap);
  next_row_ = std::max(next_row_, row.id + 1);
  return true;
}

// Those whose time is over come too: the sweeper takes their rows away as any other's.
bool Registry::restore_row(const HoldOffRow& row, const Now& now) {
  const auto dropped = state_->hold_offs.add(state_->table.keep(row.user),
                                             mark_of(row, std::min(row.since, now.instant)));
  if (dropped) record(kNoSlot, undo::Forgotten{}, DropHoldOff{*dropped});
  next_row_ = std::max(next_row_, row.id + 1);
  return true;
}

// As those.
bool Registry::restore_row(const GoneRow& row, const Now& now) {
  state_->restore_gone(row, now.instant);
  const Instant until = std::min(row.at, now.instant) + kOverlapPause * policy_.overlap;
  if (row.reason == EndReason::kDenied && until > now.instant) {
    state_->overlaps.refuse(state_->table.keep(row.user), until);
  }
  return true;
}

bool Registry::restore_row(const LimitRow& row, const Now& /*now*/) {
  UserRule rule{row.limit.value_or(UserRule::kNotSet), kNoPlan, row.on_limit, !row.numbers.empty()};
  if (!row.plan.empty()) {
    Plan before;
    rule.plan = state_->plans.find_or_add(row.plan, before);
  }
  if (rule.empty()) return false;
  const UserRef user = state_->table.keep(row.user);
  state_->set_rule(user.slot(), rule, row.numbers);
  return true;
}

// Those that are over come too: the sweeper takes their rows away.
bool Registry::restore_row(BlockRow row, const Now& now) {
  UserRef user = state_->table.keep(row.user);
  if (state_->blocks.find(user.slot()) != nullptr) return false;
  row.block.since = std::min(row.block.since, now.instant);
  state_->blocks.put(std::move(user), std::move(row.block));
  return true;
}

bool Registry::restore_row(const PlanRow& row, const Now& /*now*/) {
  Plan before;
  const PlanId id = state_->plans.find_or_add(row.plan, before);
  if (id == kNoPlan) return false;
  Plan& plan = state_->plans[id];
  plan.is_set = true;
  plan.limit = row.limit;
  plan.on_limit = row.on_limit;
  plan.numbers = row.numbers;
  return true;
}

}  // namespace concur
