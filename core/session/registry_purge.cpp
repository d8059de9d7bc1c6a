// The registry's part about purges: of one user, and of all in steps.
#include "session/registry.hpp"

#include "session/purge_match.hpp"

#include <algorithm>
#include <utility>

namespace concur {

namespace {

// Whether the user is met for the first time.
bool meet(State& state, PurgeCursor& cursor, Slot user) {
  if (user >= cursor.is_met.size()) cursor.is_met.resize(state.table.users_end());
  if (cursor.is_met[user]) return false;
  cursor.is_met[user] = true;
  cursor.met.push_back(state.table.keep(user));
  return true;
}

Block block_by(const Purge& purge, const Now& now) {
  return {now.instant, purge.block, purge.message};
}

}  // namespace

Decision Registry::purge_some(const Purge& purge, PurgeCursor& cursor, std::uint32_t slots,
                              const Now& now) {
  Decision decision{purge_slots(purge, cursor, slots, now)};
  if (!changes_.all_durable()) decision.waits_for = changes_.last();
  return decision;
}

Answer Registry::decide(const Purge& purge, const Now& now) {
  if (purge.user) {
    // Whoever is to be kept out need not be known yet.
    const bool keeps = purge.block && purge.blocks_anyway && !purge.dry_run;
    const UserRef kept = keeps ? state_->table.keep(purge.user->text()) : UserRef();
    const Slot user = state_->table.find_user(purge.user->text());
    if (user != kNoSlot) return purge_user(user, purge, now);
    Purged nobody{0, purge.dry_run};
    if (purge.block && !purge.dry_run) nobody.blocked = 0;
    return nobody;
  }
  PurgeCursor all = begin_purge();
  return purge_slots(purge, all, all.end, now);
}

bool Registry::is_meant(const Purge& purge, Slot slot, const Now& now) const {
  const SessionSlot& session = state_->session(slot);
  return session.expires() > now.instant &&
         concur::is_meant(purge, session.started(), session.last_seen(),
                          state_->table.details(slot), now.instant);
}

void Registry::purge_one(const Purge& purge, Slot slot, const Now& now) {
  if (!purge.message.empty()) state_->table.set_message(slot, purge.message);
  remove(slot, SlotState::kPurged, now);
}

Purged Registry::purge_slots(const Purge& purge, PurgeCursor& cursor, std::uint32_t slots,
                             const Now& now) {
  Purged purged{0, purge.dry_run};
  const bool counts_users = purge.dry_run || purge.block;
  const Slot stop = cursor.next + std::min(slots, cursor.end - cursor.next);
  for (; cursor.next < stop; ++cursor.next) {
    const SessionSlot& session = state_->session(cursor.next);
    if (session.state != SlotState::kActive || session.row > cursor.last_row) continue;
    settle_overlap(session.user, now);
    if (!purge.dry_run) expire_due(session.user, now);
    if (session.state != SlotState::kActive || !is_meant(purge, cursor.next, now)) continue;
    ++purged.count;
    const bool is_new = counts_users && meet(*state_, cursor, session.user);
    if (purge.dry_run) continue;
    if (is_new) put_block(state_->table.keep(session.user), block_by(purge, now), now);
    purge_one(purge, cursor.next, now);
  }
  if (purge.dry_run) purged.users = cursor.met.size();
  if (purge.block && !purge.dry_run) purged.blocked = cursor.met.size();
  return purged;
}

Purged Registry::purge_user(Slot user, const Purge& purge, const Now& now) {
  Purged purged{0, purge.dry_run};
  settle_overlap(user, now);
  if (!purge.dry_run) expire_due(user, now);
  std::vector<Slot> meant;
  for (Slot slot = state_->user(user).head; slot != kNoSlot; slot = state_->session(slot).next) {
    if (is_meant(purge, slot, now)) meant.push_back(slot);
  }
  purged.count = meant.size();
  if (purge.dry_run) {
    purged.users = meant.empty() ? 0 : 1;
    return purged;
  }
  if (purge.block) {
    const bool blocks = purge.blocks_anyway || !meant.empty();
    purged.blocked = blocks ? 1 : 0;
    if (blocks) put_block(state_->table.keep(user), block_by(purge, now), now);
  }
  for (const Slot slot : meant) purge_one(purge, slot, now);
  return purged;
}

}  // namespace concur
