// The registry's part at start-up: taking in what was stored.
#include "session/registry.hpp"

#include <algorithm>
#include <utility>

namespace concur {

bool Registry::restore(StoredRow row, const Now& now) {
  return std::visit([&](auto& each) { return restore_row(std::move(each), now); }, row);
}

void Registry::expect(std::span<const StoredRow> rows) {
  for (const StoredRow& row : rows) {
    if (const auto* session = std::get_if<Row>(&row)) table_.foresee(session->user);
  }
  table_.fetch_foreseen();
}

bool Registry::restore_row(Row row, const Now& now) {
  const Slot slot = table_.add_absent(row.user, row.session);
  if (slot == kNoSlot) return false;
  const Millis ttl = std::clamp(row.ttl, kMinLease, kMaxLease);
  SessionSlot& session = table_.session(slot);
  session.row = row.id;
  set_ttl(session, ttl);
  session.set_started(std::min(row.started, now.instant));
  session.set_lease(
      std::min(row.last_seen, now.instant),
      std::clamp(row.expires, now.instant + heartbeat_interval(ttl), now.instant + ttl));
  UserSlot& owner = table_.user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  if (row.details) table_.set_details(slot, std::move(*row.details));
  next_row_ = std::max(next_row_, row.id + 1);
  return true;
}

// Those whose time is over come too: the sweeper takes their rows away as any other's.
bool Registry::restore_row(const HoldOffRow& row, const Now& now) {
  const Slot user = table_.hold_user(row.user);
  const auto dropped = hold_offs_.add(
      user,
      {row.id, PackedText(row.session), PackedText(row.device), std::min(row.since, now.instant)});
  if (dropped) drop_hold_off(*dropped);
  return true;
}

bool Registry::restore_row(const LimitRow& row, const Now& /*now*/) {
  UserRule rule{row.limit.value_or(UserRule::kNotSet), kNoPlan, row.on_limit};
  if (!row.plan.empty()) {
    Plan before;
    rule.plan = plans_.find_or_add(row.plan, before);
  }
  if (rule.empty()) return false;
  set_rule(table_.hold_user(row.user), rule);
  return true;
}

bool Registry::restore_row(const PlanRow& row, const Now& /*now*/) {
  Plan before;
  const PlanId id = plans_.find_or_add(row.plan, before);
  if (id == kNoPlan) return false;
  Plan& plan = plans_[id];
  plan.is_set = true;
  plan.limit = row.limit;
  plan.on_limit = row.on_limit;
  return true;
}

}  // namespace concur
