// The registry's part about users that are kept elsewhere: taking one in, and handing it out.
#include "session/registry.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

template <class Entries>
auto find_by_name(Entries& entries, std::string_view session) {
  return std::ranges::find_if(entries,
                              [session](const auto& each) { return each.row.session == session; });
}

}  // namespace

void Registry::take_in(UserState&& state, const Now& now) {
  state.rule.user = state.user;
  if (!state.rule.empty()) restore_row(state.rule, now);
  if (state.block) restore_row(BlockRow{state.user, std::move(*state.block)}, now);
  for (UserState::Gone& each : state.gone) {
    each.row.user = state.user;
    each.row.id = state_->next_gone();
    state_->restore_gone(each.row, now.instant);
  }
  for (UserState::Session& each : state.sessions) {
    each.row.user = state.user;
    take_in(each, now);
  }
  for (HoldOffRow& each : state.marks) {
    each.user = state.user;
    state_->hold_offs.add(state_->table.keep(each.user),
                          mark_of(each, std::min(each.since, now.instant)));
  }
  for (const ReplacedNames::One& each : state.replaced) state_->replaced.put(each);
  if (state.starts_due) state_->throttle.put(state.user, *state.starts_due);
  if (state.no_overlap_until) {
    state_->overlaps.refuse(state_->table.keep(state.user), *state.no_overlap_until);
  }
  taken_in_ = std::move(state);
}

void Registry::take_in(const UserState::Session& known, const Now& now) {
  const Row& row = known.row;
  const Slot slot = state_->add_absent(row.user, row.session);
  if (slot == kNoSlot) return;
  SessionSlot& session = state_->session(slot);
  session.row = row.id;
  set_ttl(session, std::clamp(row.ttl, kMinLease, kMaxLease));
  session.set_started(row.started);
  const Instant last_seen = std::min(row.last_seen, now.instant);
  state_->give_lease(session, last_seen, std::min(row.expires, now.instant + session.ttl()));
  session.start = row.start;
  UserSlot& owner = state_->user(session.user);
  owner.earliest = std::min(owner.earliest, session.expires());
  if (row.details) state_->table.set_details(slot, *row.details);
  if (row.overlap) state_->begin_overlap(slot, *row.overlap);
}

UserState Registry::take_out(std::string_view name, const Now& now) {
  changes_.confirm(changes_.last(), *state_);
  UserState before = std::move(*taken_in_);
  taken_in_.reset();
  UserState after;
  after.user = name;
  after.replaced = state_->replaced.take_out();
  std::erase_if(after.replaced, [&](const ReplacedNames::One& each) {
    return each.since + policy_.hold_off <= now.instant;
  });
  after.starts_due = state_->throttle.take_out(name);
  if (after.starts_due && *after.starts_due <= now.instant.time_since_epoch()) {
    after.starts_due.reset();
  }
  after.set_rest = std::move(before.set_rest);
  const Slot user = state_->table.find_user(name);
  if (user == kNoSlot) return after;
  const UserRef kept =
      state_->table.keep(user);  // what is let go of may be all that is known of it
  after.rule = state_->limit_row(user);
  state_->set_rule(user, {});
  after.block = state_->blocks.put(state_->table.keep(user), std::nullopt);
  if (after.block && after.block->is_over(now.instant)) after.block.reset();
  for (const HoldOffs::One& each : state_->hold_offs.of(user)) {
    if (each.since + policy_.hold_off > now.instant) after.marks.push_back(row_of(each, {}));
  }
  state_->hold_offs.clear();
  after.no_overlap_until = state_->overlaps.refused_until(user, now.instant);
  take_out_gone(before, after);
  while (state_->user(user).head != kNoSlot) {
    const Slot slot = state_->user(user).head;
    UserState::Session session{state_->session_row(slot)};
    if (const auto known = find_by_name(before.sessions, session.row.session);
        known != before.sessions.end() && known->row.id == session.row.id) {
      session.box = known->box;
      session.row_rest = std::move(known->row_rest);
      session.lease_rest = std::move(known->lease_rest);
    }
    after.sessions.push_back(std::move(session));
    state_->unlink(slot);
    state_->table.release(slot);
  }
  state_->overlaps.clear();
  state_->user(user).earliest = Instant::max();
  state_->user(user).last_change = 0;
  return after;
}

void Registry::set_plans(const std::vector<PlanRow>& plans) {
  for (const PlanId id : state_->plans.all()) state_->plans[id].is_set = false;
  for (const PlanRow& each : plans) restore_row(each, {});
}

void Registry::expire(std::string_view name, const Now& now) {
  const Slot user = state_->table.find_user(name);
  if (user != kNoSlot) expire_due(user, now);
}

void Registry::count(std::string_view user, const Noted& noted, const Now& now) {
  auto before = state_->usage.count(state_->table.keep(user), noted);
  if (before) add_usage(std::move(*before), now);
  bound_usage(now);
}

// The gone are whoever was gone before, or has gone since.
void Registry::take_out_gone(UserState& before, UserState& after) {
  state_->hand_out_gone([&](GoneRow&& row) {
    UserState::Gone gone{std::move(row)};
    const auto known = find_by_name(before.gone, gone.row.session);
    if (known != before.gone.end() && known->row.at == gone.row.at) {
      gone.far = known->far;
      gone.rest = std::move(known->rest);
    }
    after.gone.push_back(std::move(gone));
  });
  std::ranges::sort(after.gone, {}, [](const auto& each) { return each.row.at; });
}

}  // namespace concur
