#pragma once

#include "session/answer.hpp"
#include "session/change.hpp"
#include "session/command.hpp"
#include "session/policy.hpp"
#include "session/table.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace concur {

// An answer, and the change that must be durable before it may be told: the last one decided about
// the same user. 0 where all of those are durable already.
struct Decision {
  Answer answer;
  Sequence waits_for = 0;
};

// Decides who may watch: a state machine over all sessions in memory, with no I/O and no clock of
// its own. What it decides takes effect at once; the changes to store come out of take_changes(),
// and the store's word goes back in by confirm() or undo(). For one thread.
//
// A session is active while now < expires. Its lease is judged whenever its user is asked about;
// sweep() only tidies up.
class Registry {
 public:
  Registry(const Policy& policy, std::uint64_t hash_seed) : policy_(policy), table_(hash_seed) {}

  const Policy& policy() const { return policy_; }
  void set_policy(const Policy& policy) { policy_ = policy; }

  // Takes a stored session in at start-up, in ascending order of row ids. Its lease is at least a
  // heartbeat interval and at most its ttl from now on. False, and nothing changed, where that user
  // has a session of that name already.
  bool restore(Row row, const Now& now);

  Decision apply(const Command& command, const Now& now);

  // Looks at up to `slots` further slots, round and round: ends what has expired, saves the leases
  // that would otherwise be told of too late, the next look at the same slot being `next_look`
  // away, and forgets what is gone for long.
  void sweep(std::uint32_t slots, Millis next_look, const Now& now);

  // For a clean stop: ends all that has expired and saves every lease that heartbeats have moved.
  void settle(const Now& now);

  // The machine slept until now and nobody could give a sign of life: whoever was active before it
  // gets at least a heartbeat interval, as after a restart.
  void wake(Millis slept, const Now& now);

  // No session that starts gets this row's id or a lower one.
  void reserve_rows(std::int64_t upto) { next_row_ = std::max(next_row_, upto + 1); }

  // The changes decided since the last call, in order. last_change() numbers the last of them.
  std::vector<Change> take_changes() { return std::exchange(changes_, {}); }
  bool has_changes() const { return !changes_.empty(); }
  std::size_t pending_changes() const { return changes_.size(); }
  Sequence last_change() const { return confirmed_ + undo_.size(); }

  // All changes up to this one are durable.
  void confirm(Sequence upto);

  // None after the last confirmed one is durable: takes them all back, the latest first, those not
  // taken yet included. Renewed leases stay renewed.
  void undo();

  // The shortest lease given or restored so far: how soon a sweep must come round again.
  Millis shortest_lease() const { return std::min(shortest_, policy_.lease); }

  std::size_t active_sessions() const { return table_.active_sessions(); }
  std::size_t active_users() const { return table_.active_users(); }
  std::uint32_t slots() const { return table_.end(); }

 private:
  enum class Did : std::uint8_t { kAdded, kRemoved, kSaved };
  struct Undo {
    Did did;
    Slot slot;
    std::int64_t
        before;  // kRemoved: when it would have expired; kSaved: what was unsaved, in milliseconds
  };

  Answer decide(const Start& start, const Now& now);
  Answer decide(const Heartbeat& beat, const Now& now);
  Answer decide(const End& end, const Now& now);
  Answer decide(const ListUser& list, const Now& now);
  Answer decide(const ListAll& list, const Now& now) const;
  Answer decide(const Purge& purge, const Now& now);

  Granted start_new(const Start& start, std::uint32_t limit, const Now& now);
  Granted renew(Slot slot, std::uint32_t limit, const Now& now);
  Granted renew_with_ttl(Slot slot, Millis ttl, std::uint32_t limit, const Now& now);
  Granted grant(Slot slot, std::uint32_t limit, bool renewed, const Now& now);
  Denied deny(const Start& start, Slot user, std::uint32_t attempted, std::uint32_t limit,
              const Now& now) const;
  SessionInfo info(Slot slot, const Now& now) const;

  std::uint64_t purge_user(Slot user, const Purge& purge, const Now& now);
  void set_ttl(SessionSlot& session, Millis ttl);
  void expire_due(Slot user, Instant now);
  void remove(Slot slot, SlotState why, Instant now);
  void save(Slot slot);
  void forget_gone(std::uint32_t most, Instant now);
  void record(Undo undo, Change change);
  std::uint32_t active_at(Slot user, Instant now);

  Policy policy_;
  Table table_;
  std::int64_t next_row_ = 1;
  Millis shortest_ = kLongestLease;
  Slot hand_ = 0;  // where sweep() goes on

  std::vector<Change> changes_;
  std::deque<Undo> undo_;  // one for each change after confirmed_
  Sequence confirmed_ = 0;
  std::deque<Slot> gone_;  // in the order they went
};

}  // namespace concur
