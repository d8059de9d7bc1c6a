#include "session/state.hpp"

#include <algorithm>

namespace concur {

// A lease that ended at that age goes on as the sign of life before has it.
void State::set_longest(Millis longest, Instant now) {
  const Millis before = std::exchange(longest_, longest);
  if (before == longest) return;
  for (Slot slot = 0; slot < table.end(); ++slot) {
    SessionSlot& each = session(slot);
    if (each.state != SlotState::kActive || each.expires() <= now) continue;
    Instant expires = each.expires();
    if (expires == latest_end(before, each.started())) {
      expires = std::max(expires, each.last_seen() + each.ttl());
    }
    give_lease(each, each.last_seen(), expires);
    UserSlot& owner = table.user(each.user);
    owner.earliest = std::min(owner.earliest, each.expires());
  }
}

// Looks anew where a lease may have run out; the bound is exact again once the expired are swept.
std::uint32_t State::active_at(Slot user, Instant now) {
  UserSlot& owner = table.user(user);
  if (now < owner.earliest) return owner.active;
  std::uint32_t active = 0;
  Instant earliest = Instant::max();
  for (Slot slot = owner.head; slot != kNoSlot;) {
    const SessionSlot& each = session(slot);
    earliest = std::min(earliest, stays_until(slot));
    if (each.expires() > now) ++active;
    slot = each.next;
  }
  owner.earliest = earliest;
  return active;
}

void State::begin_overlap(Slot slot, const Overlap& overlap) {
  const SessionSlot& begun = session(slot);
  overlaps.begin(slot, overlap, begun.started() + overlap.length);
  UserSlot& owner = table.user(begun.user);
  owner.earliest = std::min(owner.earliest, stays_until(slot));
}

std::optional<Instant> State::overlap_end(Slot active) {
  const Overlap* overlap = overlaps.find(active);
  if (overlap == nullptr) return std::nullopt;
  return session(active).started() + overlap->length;
}

Instant State::stays_until(Slot active) {
  const Instant expires = session(active).expires();
  return std::min(expires, overlap_end(active).value_or(expires));
}

Table::Added State::add(std::string_view user, std::string_view session) {
  const Table::Added added = table.add(user, session);
  const Slot owner = table.session(added.slot).user;
  count_active(owner, table.user(owner).active - 1);
  return added;
}

Slot State::add_absent(std::string_view user, std::string_view session) {
  const Slot slot = table.add_absent(user, session);
  if (slot == kNoSlot) return kNoSlot;
  const Slot owner = table.session(slot).user;
  count_active(owner, table.user(owner).active - 1);
  return slot;
}

void State::unlink(Slot slot) {
  table.unlink(slot);
  const Slot owner = table.session(slot).user;
  count_active(owner, table.user(owner).active + 1);
}

void State::relink(Slot slot) {
  table.relink(slot);
  const Slot owner = table.session(slot).user;
  count_active(owner, table.user(owner).active - 1);
}

void State::count_active(Slot user, std::uint32_t before) {
  const UserSlot& owner = table.user(user);
  plans.count_user(owner.rule, before, owner.active);
}

void State::set_rule(Slot user, UserRule rule, RuleNumbers numbers) {
  UserSlot& owner = table.user(user);
  rule.has_numbers = !numbers.empty();
  if (owner.rule.has_numbers) rule_numbers_.erase(user);
  if (rule.has_numbers) rule_numbers_.emplace(user, std::move(numbers));
  plans.remove_user(owner.rule, owner.active);
  owner.rule = rule;
  plans.add_user(owner.rule, owner.active);
}

const RuleNumbers* State::rule_numbers(Slot user) const {
  const auto found = rule_numbers_.find(user);
  return found == rule_numbers_.end() ? nullptr : &found->second;
}

LimitRow State::limit_row(Slot user) {
  const UserRule& rule = table.user(user).rule;
  LimitRow row{table.user(user).name.str(), {}, rule.on_limit, {}};
  if (rule.has_limit()) row.limit = rule.limit;
  if (rule.plan != kNoPlan) row.plan = plans[rule.plan].name;
  if (rule.has_numbers) row.numbers = *rule_numbers(user);
  return row;
}

Row State::session_row(Slot active) {
  const SessionSlot& known = session(active);
  const Details* details = table.details(active);
  Row row{known.row,         user(known.user).name.str(),
          known.name.str(),  known.started(),
          known.last_seen(), known.expires(),
          known.ttl(),       details == nullptr ? nullptr : std::make_unique<Details>(*details),
          known.start};
  if (const Overlap* overlap = overlaps.find(active)) {
    row.overlap = std::make_unique<Overlap>(*overlap);
  }
  return row;
}

// --- the gone ---

void State::set_memory(Millis time, std::size_t most) {
  remember_ = time;
  most_gone_ = most;
}

Millis State::memory_of(const SessionSlot& gone) const { return std::max(remember_, gone.ttl()); }

bool State::is_remembered(Slot slot, Instant now) {
  const SessionSlot& gone = table.session(slot);
  return gone.expires() + memory_of(gone) > now;
}

bool State::is_other_start(const std::optional<StartToken>& meant, Slot slot, Instant now) {
  if (!meant) return false;
  const SessionSlot& known = session(slot);
  return *meant < known.token() && (known.state == SlotState::kActive || is_remembered(slot, now));
}

GoneRow State::gone_row(Slot slot) {
  const SessionSlot& gone = session(slot);
  GoneRow row{gone.gone_number(),
              user(gone.user).name.str(),
              gone.name.str(),
              reason_of(gone.state),
              gone.expires(),
              gone.ttl(),
              nullptr,
              gone.row,
              gone.start,
              message_of(slot)};
  if (const EvictedBy* by = table.evicted_by(slot)) row.by = std::make_unique<EvictedBy>(*by);
  return row;
}

void State::remember_gone(Slot slot) {
  table.clear_details(slot);
  end_overlap(slot);
  queue_gone(slot);
}

void State::queue_gone(Slot slot) {
  const SessionSlot& gone = table.session(slot);
  const GoneQueue::One one{slot, gone.gone_number()};
  if (gone.ttl() > remember_) {
    gone_.add_until(one, gone.expires() + gone.ttl());
  } else {
    gone_.add(one);
  }
  if (most_gone_ == 0 || gone_.size() <= most_gone_) return;
  if (!forget_first(Instant::max())) forget_first_kept(Instant::max());
}

// One of that name that went before, or is active, was not known when the row should have gone.
void State::restore_gone(const GoneRow& row, Instant now) {
  reserve_gone(row.id);
  const Slot user = table.find_user(row.user);
  const Slot known = user == kNoSlot ? kNoSlot : table.find_session(user, row.session);
  if (is_active(known)) return drop_rows({row.id, row.id});
  if (known != kNoSlot) forget({known, table.session(known).gone_number()}, Instant::max());
  const Slot slot = table.add_gone(row.user, row.session, state_of(row.reason));
  SessionSlot& gone = table.session(slot);
  gone.row = row.row;
  gone.start = row.start;
  gone.started_ms = row.id;
  gone.ttl_ms = static_cast<std::uint32_t>(std::clamp(row.ttl, kMinLease, kMaxLease).count());
  gone.set_expires(std::min(row.at, now));
  if (row.by) table.set_evicted_by(slot, *row.by);
  if (!row.message.empty()) table.set_message(slot, row.message);
  queue_gone(slot);
}

// The queue passes over it when it comes to it.
void State::replace_gone(const GoneQueue::One& gone) {
  if (table.session(gone.slot).is_gone_as(gone.number)) table.release(gone.slot);
}

void State::forget_gone(std::uint32_t most, Instant now) {
  for (; most > 0 && (forget_first(now) || forget_first_kept(now)); --most) {
  }
}

bool State::forget_first(Instant then) {
  const GoneQueue::One* first = gone_.first();
  if (first == nullptr || !forget(*first, then)) return false;
  gone_.pop_first();
  return true;
}

bool State::forget_first_kept(Instant then) {
  const GoneQueue::One* first = gone_.first_kept();
  if (first == nullptr || !forget(*first, then)) return false;
  gone_.pop_first_kept();
  return true;
}

// Where its time is over by then; true where it is forgotten.
bool State::forget(const GoneQueue::One& gone, Instant then) {
  const SessionSlot& forgotten = table.session(gone.slot);
  if (!forgotten.is_gone_as(gone.number)) return true;
  if (is_remembered(gone.slot, then)) return false;
  if (is_stored_gone(gone.slot)) drop_rows({gone.number, gone.number});
  table.release(gone.slot);
  return true;
}

void State::drop_rows(const GoneRange& range) {
  const bool follows = !dropped_rows_.empty() && dropped_rows_.back().last + 1 == range.first;
  if (follows) {
    dropped_rows_.back().last = range.last;
  } else {
    dropped_rows_.push_back(range);
  }
}

void State::append_info(std::vector<SessionInfo>& to, Slot slot, const Now& now) {
  const SessionSlot& shown = session(slot);
  SessionInfo& info = to.emplace_back();
  info.user = table.user(shown.user).name.str();
  info.session = shown.name.str();
  info.started_at = now.to_wall(shown.started());
  info.last_seen_at = now.to_wall(shown.last_seen());
  info.expires_at = now.to_wall(shown.expires());
  if (const Details* details = table.details(slot)) info.details = *details;
  if (const auto ends = overlap_end(slot)) info.grace_ends_at = now.to_wall(*ends);
}

std::string State::message_of(Slot slot) const {
  const std::string* message = table.message(slot);
  return message == nullptr ? std::string() : *message;
}

std::optional<Eviction> State::eviction_of(Slot slot, const Now& now) {
  const EvictedBy* by = table.evicted_by(slot);
  if (by == nullptr) return std::nullopt;
  return Eviction{*by, now.to_wall(session(slot).expires())};
}

}  // namespace concur
