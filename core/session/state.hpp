#pragma once

#include "base/clock.hpp"
#include "session/answer.hpp"
#include "session/blocks.hpp"
#include "session/gone.hpp"
#include "session/grace.hpp"
#include "session/hold_offs.hpp"
#include "session/overlaps.hpp"
#include "session/plans.hpp"
#include "session/replaced_names.hpp"
#include "session/start_throttle.hpp"
#include "session/table.hpp"
#include "session/usage_record.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace concur {

// All that the registry knows of users and sessions. Decisions change it, and what takes them back.
// It stays where it is, for UserRefs point into it.
class State {
 public:
  explicit State(std::uint64_t hash_seed) : State(hash_seed, hash_seed) {}
  // The hashes of replaced names may be kept elsewhere, under a seed of their own.
  State(std::uint64_t hash_seed, std::uint64_t names_seed)
      : table(hash_seed), replaced(names_seed), throttle(hash_seed) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // The only way to a session's lease: it has got its grace when it is judged.
  SessionSlot& session(Slot slot) {
    SessionSlot& found = table.session(slot);
    if (grace.pending()) give_grace(found);
    return found;
  }
  // The same, by whoever looks at all slots, round and round.
  SessionSlot& session_in_round(Slot slot) {
    SessionSlot& found = table.session(slot);
    if (grace.pending()) {
      give_grace(found);
      grace.looked_at(slot);
    }
    return found;
  }
  UserSlot& user(Slot slot) { return table.user(slot); }
  bool is_active(Slot slot) { return slot != kNoSlot && session(slot).state == SlotState::kActive; }

  // At that age sessions expire, whatever their leases; 0: at none. Those that are active at that
  // moment are looked at, all of them.
  void set_longest(Millis longest, Instant now);
  // The only way to give an active session a lease: it is no longer than the session may be.
  void give_lease(SessionSlot& session, Instant last_seen, Instant expires) const {
    session.set_lease(last_seen, std::min(expires, latest_end(longest_, session.started())));
  }

  // How many of the user's sessions are active at that moment, those that nobody has noticed to be
  // expired left out.
  std::uint32_t active_at(Slot user, Instant now);

  // As the table's; these keep the plans' counts true.
  Table::Added add(std::string_view user, std::string_view session);
  Slot add_absent(std::string_view user, std::string_view session);
  void unlink(Slot slot);
  void relink(Slot slot);

  // The user must be kept by a UserRef meanwhile.
  void set_rule(Slot user, UserRule rule, RuleNumbers numbers = {});
  // Null where the user has none of its own.
  const RuleNumbers* rule_numbers(Slot user) const;

  // A session is let in for a while from its start on; end_overlap() where it stays or is no more.
  void begin_overlap(Slot slot, const Overlap& overlap);
  void end_overlap(Slot slot) {
    if (!overlaps.empty()) overlaps.end(slot);
  }
  // When that ends, of one that is let in so.
  std::optional<Instant> overlap_end(Slot active);
  bool is_overlap_over(Slot active, Instant now) {
    const auto ends = overlap_end(active);
    return ends && *ends <= now;
  }
  // Until then an active session stays as it is, unless somebody asks for it.
  Instant stays_until(Slot active);

  // As they are stored.
  LimitRow limit_row(Slot user);
  Row session_row(Slot active);

  // For how long it is remembered why a session is gone, so that a late heartbeat gets to know:
  // for so long, or for its own lease where that is longer; and of how many at most, where 0 is any
  // number.
  void set_memory(Millis time, std::size_t most);
  // Whether a gone session's time is not over.
  bool is_remembered(Slot slot, Instant now);
  // The session, active or remembered, is that of a later start than the one that is meant.
  bool is_other_start(const std::optional<StartToken>& meant, Slot slot, Instant now);
  GoneRow gone_row(Slot slot);
  // Numbers one that goes now.
  std::int64_t next_gone() { return ++last_gone_; }
  void reserve_gone(std::int64_t upto) { last_gone_ = std::max(last_gone_, upto); }
  // It is gone for good.
  void remember_gone(Slot slot);
  // At start-up, in the order they went.
  void restore_gone(const GoneRow& row, Instant now);
  // Another of its name started, for good. It may be forgotten by now.
  void replace_gone(const GoneQueue::One& gone);
  // Forgets those whose time is over, so many at most.
  void forget_gone(std::uint32_t most, Instant now);
  // Gives all that are remembered to `take`, in the order they went, and forgets them.
  template <class Take>
  void hand_out_gone(const Take& take) {
    const auto hand_out = [&](const GoneQueue::One& one) {
      if (!table.session(one.slot).is_gone_as(one.number)) return;
      take(gone_row(one.slot));
      table.release(one.slot);
    };
    for (; gone_.first() != nullptr; gone_.pop_first()) hand_out(*gone_.first());
    for (; gone_.first_kept() != nullptr; gone_.pop_first_kept()) hand_out(*gone_.first_kept());
    dropped_rows_.clear();
  }
  // The rows of those that were forgotten, for the store to drop.
  std::vector<GoneRange> take_dropped_rows() { return std::exchange(dropped_rows_, {}); }
  void drop_rows(const GoneRange& range);

  // In place: a denial has several, and each is six texts.
  void append_info(std::vector<SessionInfo>& to, Slot slot, const Now& now);
  // Where a session was evicted.
  std::optional<Eviction> eviction_of(Slot slot, const Now& now);
  // What the viewer of one that went is to be told; empty for nothing.
  std::string message_of(Slot slot) const;
  // Why it went is told after a restart, too.
  bool is_stored_gone(Slot slot) const {
    return was_ended_by_others(table.session(slot).state) || table.message(slot) != nullptr;
  }

  Table table;  // first, so that it outlives the UserRefs of the others
  Plans plans;
  Blocks blocks;
  HoldOffs hold_offs;
  Overlaps overlaps;
  ReplacedNames replaced;
  UsageRecord usage;
  StartThrottle throttle;
  Grace grace;

 private:
  std::unordered_map<Slot, RuleNumbers> rule_numbers_;  // of those whose rule has some

  void give_grace(SessionSlot& session) const {
    if (session.state != SlotState::kActive) return;
    grace.give(session);
    give_lease(session, session.last_seen(), session.expires());
  }
  void count_active(Slot user, std::uint32_t before);
  Millis memory_of(const SessionSlot& gone) const;
  void queue_gone(Slot slot);
  bool forget(const GoneQueue::One& gone, Instant then);
  bool forget_first(Instant then);
  bool forget_first_kept(Instant then);

  Millis longest_{};
  GoneQueue gone_;
  Millis remember_ = kRememberGone;
  std::size_t most_gone_ = 0;
  std::int64_t last_gone_ = 0;
  std::vector<GoneRange> dropped_rows_;
};

}  // namespace concur
