#pragma once

#include "session/answer.hpp"
#include "session/change.hpp"
#include "session/command.hpp"
#include "session/event.hpp"
#include "session/hold_offs.hpp"
#include "session/plans.hpp"
#include "session/policy.hpp"
#include "session/start_throttle.hpp"
#include "session/table.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <variant>
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
  Registry(const Policy& policy, std::uint64_t hash_seed)
      : policy_(policy), table_(hash_seed), throttle_(hash_seed) {}

  const Policy& policy() const { return policy_; }
  void set_policy(const Policy& policy, const Now& now);

  // Takes in what was stored, at start-up: plans, what is set for users, sessions in ascending
  // order of row ids, hold-offs in the order they began. A lease is at least a heartbeat interval
  // and at most its ttl from now on, a hold-off at most kHoldOff. False, and nothing changed, where
  // that user has a session of that name already, or there are too many plans. A session's row id
  // and start, in milliseconds, must fit an Int48.
  bool restore(StoredRow row, const Now& now);

  // Says which rows restore() will be given next: where it knows of some dozens at once, it need
  // not wait for memory at each. Changes nothing.
  void expect(std::span<const StoredRow> rows);

  Decision apply(const Command& command, const Now& now);

  // Says that this user will be asked about soon, for the same reason. Changes nothing.
  void foresee(std::string_view user) { table_.foresee(user); }

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

  // Of the sessions so far.
  std::int64_t last_row() const { return next_row_ - 1; }

  // Hands over up to that many parts of what was recorded of users' hours so far, so that a report
  // is complete. True where there are more.
  bool flush_usage(std::size_t most, const Now& now);

  // The changes decided since the last call, in order. last_change() numbers the last of them.
  std::vector<Change> take_changes();
  bool has_changes() const { return !changes_.empty(); }
  std::size_t pending_changes() const { return changes_.size(); }
  Sequence last_change() const { return confirmed_ + undo_.size(); }

  // All changes up to this one are durable.
  void confirm(Sequence upto);

  // None after the last confirmed one is durable: takes them all back, the latest first, those not
  // taken yet included. Renewed leases stay renewed.
  void undo();

  // Gives what happened to `take`, in order, as far as it is durable.
  template <class Take>
  void take_events(const Take& take) {
    for (; has_events(); events_.pop_front()) take(std::move(events_.front()));
  }
  bool has_events() const { return !events_.empty() && events_.front().waits_for <= confirmed_; }

  // Whether renewals are told as events; there are many.
  void tell_renewals(bool wanted) { tells_renewals_ = wanted; }

  // The shortest lease given or restored so far: how soon a sweep must come round again.
  Millis shortest_lease() const { return std::min(shortest_, policy_.lease); }

  std::size_t active_sessions() const { return table_.active_sessions(); }
  std::size_t active_users() const { return table_.active_users(); }
  std::uint32_t slots() const { return table_.end(); }

 private:
  // What takes a change back; one for each. The user or plan concerned stays in its slot until its
  // change is confirmed.
  struct Added {
    Slot slot;
    Slot gone;  // the gone session of that name whose place it took
  };
  struct Removed {
    Slot slot;
    Instant expires;  // when it would have expired
  };
  struct Saved {
    Slot slot;
    std::uint32_t unsaved_ms;
    std::uint32_t ttl_ms;  // of the lease before
  };
  struct Described {
    Slot slot;
    Details before;
  };
  struct HeldOff {
    Slot user;
    std::int64_t row;
  };
  struct Ruled {
    Slot user;
    UserRule before;
    bool emptied;  // the user is let go when this is confirmed
  };
  struct Planned {
    PlanId plan;
    Plan before;
  };
  struct Counted {
    UsageRecord::Part part;
    Now now;
  };
  struct Forgot {};  // its time was over: nothing to take back
  using Undo = std::variant<Added, Removed, Saved, std::unique_ptr<Described>, HeldOff, Ruled,
                            std::unique_ptr<Planned>, std::unique_ptr<Counted>, Forgot>;

  // What holds for one start.
  struct Terms {
    std::uint32_t limit;
    OnLimit on_limit;
    LimitSource from;
  };

  // As the command spells them: an answer need not unpack them.
  struct Names {
    Id user;
    Id session;
  };

  // Who would make room for a start.
  struct Room {
    std::vector<Slot> leaving;     // who takes part in it of itself: reconnected, replaced
    std::vector<Slot> oldest;      // who leaves for the limit's sake
    bool reconnects = false;       // the first of those leaving had the same device
    bool fits = true;              // otherwise it is denied
    std::optional<Millis> held{};  // for how long it may not evict, where that is why
  };

  Answer decide(const Start& start, const Now& now);
  Answer decide(const Heartbeat& beat, const Now& now);
  Answer decide(const End& end, const Now& now);
  Answer decide(const ListUser& list, const Now& now);
  Answer decide(const ListAll& list, const Now& now) const;
  Answer decide(const Purge& purge, const Now& now);
  Answer decide(const ShowLimit& show, const Now& now);
  Answer decide(const SetLimit& set, const Now& now);
  Answer decide(const ListLimits& list, const Now& now);
  Answer decide(const ShowPlan& show, const Now& now);
  Answer decide(const SetPlan& set, const Now& now);
  Answer decide(const RemovePlan& remove, const Now& now);
  Answer decide(const ListPlans& list, const Now& now);

  bool restore_row(Row row, const Now& now);
  bool restore_row(const HoldOffRow& row, const Now& now);
  bool restore_row(const LimitRow& row, const Now& now);
  bool restore_row(const PlanRow& row, const Now& now);

  // starting
  Terms terms_of(Slot user) const;
  Terms terms_of(Slot user, const Start& start) const;
  Answer renew_by_start(const Start& start, Slot slot, const Terms& terms, const Now& now);
  Room find_room(const Start& start, Slot user, const Terms& terms, const Now& now) const;
  std::vector<std::string> names_of(const std::vector<Slot>& slots) const;
  void choose_oldest(Room& room, Slot user, std::uint32_t limit) const;
  Granted start_new(const Start& start, const Terms& terms, const Now& now, const Room& room);
  Granted renew(Slot slot, const Names& names, std::uint32_t limit, const Now& now);
  Granted grant(Slot slot, const Names& names, std::uint32_t limit, bool renewed, const Now& now);
  Denied deny(const Start& start, Slot user, std::uint32_t attempted, std::uint32_t limit,
              const Now& now) const;
  void evict(Slot slot, const Start& by, bool holds_off, const Now& now);
  void count_attempt(Slot user, const Start& start, const Terms& terms, const Room& room,
                     Attempt::Outcome outcome, const Now& now);
  bool describe(Slot slot, const Details& details);

  // answering
  SessionInfo info(Slot slot, const Now& now) const;
  std::optional<Eviction> eviction_of(Slot slot, const Now& now) const;
  UserLimit limit_of(std::string_view name, Slot user, const Now& now);
  PlanInfo plan_info(PlanId id) const;
  PlanInfo plan_info_now(PlanId id, const Now& now);
  bool is_active(Slot slot) const {
    return slot != kNoSlot && table_.session(slot).state == SlotState::kActive;
  }
  std::uint32_t active_at(Slot user, Instant now);

  // changing
  std::uint64_t purge_user(Slot user, const Purge& purge, const Now& now);
  void set_ttl(SessionSlot& session, Millis ttl);
  void set_rule(Slot user, const UserRule& rule);
  LimitRow limit_row(Slot user) const;
  void expire_due(Slot user, const Now& now);
  void remove(Slot slot, SlotState why, const Now& now);
  void remove(Slot slot, SlotState why, std::uint32_t active, const Now& now);
  void save(Slot slot);
  void save(Slot slot, Millis ttl_before);
  void hold_off(Slot slot, const Now& now);
  void forget_gone(std::uint32_t most, Instant now);
  void forget_oldest_gone();
  void forget_hold_offs(std::uint32_t most, Instant now);
  void drop_hold_off(const HoldOffs::Dropped& dropped);
  void forget_usage(std::size_t most, bool all, const Now& now);
  void add_usage(UsageRecord::Part part, const Now& now);
  template <class OfUndo, class OfChange>
  void record(Slot user, OfUndo undo, OfChange change) {
    undo_.emplace_back(std::move(undo));
    changes_.emplace_back(std::move(change));
    if (user != kNoSlot) table_.user(user).last_change = last_change();
  }

  // making durable
  void settle_change(const Added&) {}
  void settle_change(const Removed& removed);
  void settle_change(const Ruled& ruled) {
    if (ruled.emptied) table_.let_go(ruled.user);
  }
  void settle_change(const std::unique_ptr<Counted>& counted) { table_.let_go(counted->part.user); }
  template <class T>
  void settle_change(const T&) {}
  void take_back(const Added& added);
  void take_back(const Removed& removed);
  void take_back(const Saved& saved);
  void take_back(const std::unique_ptr<Described>& described);
  void take_back(const HeldOff& held);
  void take_back(const Ruled& ruled);
  void take_back(const std::unique_ptr<Planned>& planned);
  void take_back(const std::unique_ptr<Counted>& counted);
  void take_back(const Forgot&) {}

  // telling
  void tell(EventKind kind, Slot user, const PackedText& session, std::uint32_t active,
            std::uint32_t limit, std::unique_ptr<EventMore> more, const Now& now);
  void tell_denied(const Start& start, Slot user, std::uint32_t limit, const Now& now);
  void tell_limit(std::string_view user, std::string_view plan, std::uint32_t limit, bool removed,
                  const Now& now);
  Sequence last_change_of(Slot user) const;

  Policy policy_;
  Table table_;
  Plans plans_;
  HoldOffs hold_offs_;
  UsageRecord usage_;
  StartThrottle throttle_;
  std::int64_t next_row_ = 1;
  Millis shortest_ = kMaxLease;
  Slot hand_ = 0;  // where sweep() goes on

  std::vector<Change> changes_;
  std::deque<Undo> undo_;  // one for each change after confirmed_
  Sequence confirmed_ = 0;
  Sequence plans_changed_ = 0;  // the last change of any plan: it may concern any user
  std::deque<Slot> gone_;       // in the order they went
  std::deque<Event> events_;    // in order; some wait for their changes
  bool tells_renewals_ = false;
};

}  // namespace concur
