#pragma once

#include "session/admission.hpp"
#include "session/answer.hpp"
#include "session/change.hpp"
#include "session/change_log.hpp"
#include "session/command.hpp"
#include "session/event.hpp"
#include "session/outbox.hpp"
#include "session/policy.hpp"
#include "session/state.hpp"
#include "session/take_overs.hpp"
#include "session/user_ref.hpp"
#include "session/user_state.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace concur {

// An answer, and the change that must be durable before it may leave: the last one decided about
// the same user. 0 where all of those are durable already.
struct Decision {
  Answer answer;
  Sequence waits_for = 0;
};

// How far a purge of all users has got. It spares sessions that started since it began. The
// registry must outlive it.
struct PurgeCursor {
  Slot next = 0;
  Slot end = 0;
  std::int64_t last_row = 0;
  // The users whose sessions were met, where that is of interest; kept meanwhile.
  std::vector<bool> is_met{};  // by slot
  std::deque<UserRef> met{};

  bool done() const { return next >= end; }
};

// How far the saving of all leases has got.
struct SaveCursor {
  Slot next = 0;
  std::optional<std::size_t> parts{};  // of the record, that are left; once all slots are done
};

// How far the copying of all that is to be stored has got.
struct CopyCursor {
  Slot user = 0;
  Slot session = 0;
};

// Decides who may watch: a state machine over all sessions in memory, with no I/O and no clock of
// its own. What it decides takes effect at once; the changes to store come out of take_changes(),
// and what became of them goes back in by confirm() or roll_back(). For one thread.
//
// A session is active while now < expires. Its lease is judged whenever its user is asked about;
// sweep() only takes out of memory and the store what is over.
class Registry {
 public:
  // How many slots of sessions, or of users, a page of a list looks at.
  static constexpr std::uint32_t kListStep = 16'384;

  Registry(const Policy& policy, std::uint64_t hash_seed)
      : Registry(policy, hash_seed, hash_seed) {}
  // `names_seed`: for what of a UserState is a hash.
  Registry(const Policy& policy, std::uint64_t hash_seed, std::uint64_t names_seed)
      : policy_(policy), state_(std::make_unique<State>(hash_seed, names_seed)) {
    bound_memory();
    state_->set_longest(policy_.longest, {});
  }
  Registry(Registry&&) = default;
  Registry& operator=(Registry&&) = delete;  // changes_ must go before the state does

  const Policy& policy() const { return policy_; }
  void set_policy(const Policy& policy, const Now& now);

  // Takes in what was stored, at start-up: plans, what is set for users, sessions in ascending
  // order of row ids, hold-offs in the order they began, the gone in the order they went. A lease
  // is at least a heartbeat interval and at most its ttl from now on, a hold-off at most as long as
  // it is. False, and nothing changed, where that user has a session of that name already, or there
  // are too many plans. A session's row id and start, in milliseconds, must fit an Int48.
  bool restore(StoredRow row, const Now& now);

  // A hint: restore() gets these rows next. Where it knows of some dozens at once, it need not wait
  // for memory at each. Changes nothing.
  void prefetch(std::span<const StoredRow> rows);

  Decision apply(const Command& command, const Now& now);

  // For users that are kept elsewhere: takes one in, of whom it knows nothing, as it is; and hands
  // out what has become of it, of which it then knows nothing any more but what it recorded. In
  // between its user alone is asked about, and all that is decided counts as durable.
  void take_in(UserState&& state, const Now& now);
  UserState take_out(std::string_view user, const Now& now);
  // Ends all of that user's sessions whose lease is over.
  void expire(std::string_view user, const Now& now);
  // What would be recorded of it is noted, to be counted once it is certain.
  std::vector<Noted> take_notes() { return std::exchange(notes_, {}); }
  void count(std::string_view user, const Noted& noted, const Now& now);
  void set_plans(const std::vector<PlanRow>& plans);
  // The next session that starts gets this row's id or a higher one.
  void number_from(std::int64_t row) { next_row_ = row; }

  // A hint: this user is about to be asked about. The cache misses of all such users are taken
  // together by the next apply(). Changes nothing.
  void prefetch(std::string_view user) { state_->table.prefetch(user); }

  // Looks at up to `slots` further slots, round and round: ends what has expired, saves the leases
  // that would otherwise be saved too late, the next look at the same slot being `next_look` away,
  // and forgets what is gone for long.
  void sweep(std::uint32_t slots, Millis next_look, const Now& now);

  // A purge of all users, in steps that look at so many slots each, so that others are answered in
  // between. The answer is a Purged with the count of sessions of this step alone.
  PurgeCursor begin_purge() const { return {0, slots(), next_row_ - 1, {}, {}}; }
  Decision purge_some(const Purge& purge, PurgeCursor& cursor, std::uint32_t slots, const Now& now);

  // For a clean stop: ends all that has expired, saves every lease that heartbeats have moved, and
  // hands over what was recorded; in steps of so many each. True where there is more.
  bool save_some(SaveCursor& cursor, std::uint32_t slots, const Now& now);

  // What a new database must hold of all that is known, but for the record of who shares: appends
  // it to `out` in steps that look at so many slots each, while nothing waits to be durable. True
  // where there is more.
  bool copy_some(CopyCursor& cursor, std::uint32_t slots, std::vector<Change>& out);

  // The machine slept until now and nobody could give a sign of life: whoever was active before it
  // has at least a heartbeat interval, as after a restart. Takes the same time for any number of
  // sessions: whose turn it is in a sweep, or who is asked about, gets a new lease then.
  void wake(Millis slept, const Now& now) { state_->grace.begin(slept, now.instant, slots()); }

  // No session that starts or goes gets this row's id or a lower one, nor one that any had before.
  // The rows of the latest may be gone: so ids follow the wall clock, and leap where that was set
  // back.
  static constexpr std::int64_t kRowLeap = std::int64_t{1} << 20;
  void reserve_rows(std::int64_t upto, const Now& now);

  // Hands over up to that many parts of what was recorded of users' hours, those first that were
  // begun first: as many as there are now make a report of what was until now complete.
  void flush_usage(std::size_t most, const Now& now) {
    flush_usage(std::min(most, usage_parts()), true, now);
  }
  std::size_t usage_parts() const { return state_->usage.size(); }

  // The changes decided since the last call, in order. last_change() numbers the last of them.
  std::vector<Change> take_changes() { return changes_.take(); }
  bool has_changes() const { return changes_.untaken() > 0; }
  std::size_t pending_changes() const { return changes_.untaken(); }
  Sequence last_change() const { return changes_.last(); }

  // All changes up to this one are durable.
  void confirm(Sequence upto) { changes_.confirm(upto, *state_); }

  // None after the last confirmed one is durable: takes them all back, the latest first, those not
  // taken yet included. Renewed leases stay renewed.
  void roll_back();

  // Gives what happened to `take`, in order, as far as it is durable.
  template <class Take>
  void take_events(const Take& take) {
    outbox_.take(changes_.durable(), take);
  }
  bool has_events() const { return outbox_.has(changes_.durable()); }

  // Whether renewals are published as events; there are many.
  void publish_renewals(bool wanted) { publishes_renewals_ = wanted; }

  // The shortest lease given or restored so far: how soon a sweep must come round again.
  Millis shortest_lease() const { return std::min(shortest_, policy_.lease); }

  std::size_t active_sessions() const { return state_->table.active_sessions(); }
  std::size_t active_users() const { return state_->table.active_users(); }
  // Users who are kept out, those among them whose time was over when it was last swept.
  std::size_t blocks() const { return state_->blocks.size(); }
  std::uint32_t slots() const { return state_->table.end(); }
  // Users who have as many sessions as they may, or more: as many as sweep() met when it last went
  // round all of them. None where the limit counts something else than sessions.
  std::optional<std::uint64_t> users_at_limit() const;

 private:
  // A start, once it is decided about.
  struct Judged {
    const Start& start;
    const Terms& terms;
    const Admission& admission;
  };
  // What a start or a heartbeat asks for of an active session's lease.
  struct Renewal {
    Id user;
    Id session;
    std::optional<Millis> ttl;  // another one for it
  };

  Answer decide(const Start& start, const Now& now);
  Answer decide(const Explain& explain, const Now& now);
  Answer decide(const Heartbeat& beat, const Now& now);
  Answer decide(const End& end, const Now& now);
  Answer decide(const ListUser& list, const Now& now);
  Answer decide(const ListAll& list, const Now& now);
  Answer decide(const Purge& purge, const Now& now);
  Answer decide(const ShowLimit& show, const Now& now);
  Answer decide(const SetLimit& set, const Now& now);
  Answer decide(const ListLimits& list, const Now& now);
  Answer decide(const ShowPlan& show, const Now& now);
  Answer decide(const SetPlan& set, const Now& now);
  Answer decide(const RemovePlan& remove, const Now& now);
  Answer decide(const ListPlans& list, const Now& now);
  Answer decide(const ShowBlock& show, const Now& now);
  Answer decide(const SetBlock& set, const Now& now);
  Answer decide(const Unblock& unblock, const Now& now);
  Answer decide(const ListBlocks& list, const Now& now);

  bool restore_row(Row row, const Now& now);
  void take_in(const UserState::Session& known, const Now& now);
  void take_out_gone(UserState& before, UserState& after);
  bool restore_row(const HoldOffRow& row, const Now& now);
  bool restore_row(const GoneRow& row, const Now& now);
  bool restore_row(const LimitRow& row, const Now& now);
  bool restore_row(const PlanRow& row, const Now& now);
  bool restore_row(BlockRow row, const Now& now);

  Terms terms_of(Slot user) const;
  std::vector<RuleInForce> rules_of(Slot user) const;
  std::optional<Refused> refuse_rules(const RulePatch& rules, std::string_view whose) const;
  UserLimit limit_of(std::string_view name, Slot user, const Now& now);

  // keeping users out
  UserBlock block_of(std::string_view name, Slot user, const Now& now) const;
  void put_block(UserRef user, std::optional<Block> block, const Now& now);
  void publish_block(Slot user, const Block* block, const Now& now);
  Blocked refuse_blocked(const Start& start, Slot user, const Block& block, const Terms& terms,
                         const Now& now);

  // starting and renewing
  std::optional<Refused> refuse_lacking(const Start& start) const;
  std::optional<Answer> refuse_admitted(const Judged& judged, Slot user, const Now& now);
  bool keeps_out(Slot slot, const Now& now) const;
  Gone refuse_revival(const Start& start, Slot slot, const Terms& terms, const Now& now);
  Granted start_new(const Judged& judged, const Now& now);
  Answer renew_by_start(const Start& start, Slot slot, const Terms& terms, const Now& now);
  std::vector<Violation> judge_change(const Start& start, Slot slot, const Terms& terms);
  void explain_renewal(const Explain& explain, Slot slot, const Terms& terms, Explanation& said);
  void explain_rules(const std::vector<Violation>& applying, const Terms& terms, Explanation& said);
  Denied deny(const Start& start, Slot user, const Terms& terms,
              const std::vector<Violation>& violations, const Now& now);
  Granted renew(Slot slot, const Renewal& renewal, std::uint32_t limit, const Now& now);
  void make_room(const Judged& judged, const Now& now);
  void evict(Slot slot, const Start& by, const Now& now);
  TakeOvers take_overs(const Now& now) {
    return {*state_, changes_, next_row_, policy_.hold_off, now};
  }
  void count_conflict(Slot user, const Now& now);
  void count_attempt(Slot user, const Judged& judged, Attempt::Outcome outcome, const Now& now);
  void count_attempt(Slot user, Attempt attempt, const Now& now);
  static void name_rule(Attempt& attempt, const std::vector<Violation>& violations);
  void count_place(Slot slot, const Details& details, const Now& now);
  void count_place(Slot user, const Details& place, bool conflict, const Now& now);
  void bound_usage(const Now& now);
  void describe(Slot slot, const Details& details);
  void take_over(SessionSlot& session, const Start& start, const Now& now);
  void set_ttl(SessionSlot& session, Millis ttl);

  // letting in above the limit for a while
  Overlap overlap_of(const Judged& judged, const Now& now);
  void settle_overlap(Slot user, const Now& now);
  void stay(Slot slot, const Terms& terms, const Now& now);
  void refuse(Slot slot, Instant ended, const Terms& terms,
              const std::vector<Violation>& violations, const Now& now);
  void show_overlap(Granted& granted, Slot slot, const Now& now);

  // ending
  Purged purge_user(Slot user, const Purge& purge, const Now& now);
  Purged purge_slots(const Purge& purge, PurgeCursor& cursor, std::uint32_t slots, const Now& now);
  bool is_meant(const Purge& purge, Slot slot, const Now& now) const;
  void purge_one(const Purge& purge, Slot slot, const Now& now);
  void expire_due(Slot user, const Now& now);
  void take_off(Slot slot, SlotState why, Instant went, Undo of_why = undo::Forgotten{});
  void remove(Slot slot, SlotState why, const Now& now);
  void remove(Slot slot, SlotState why, std::uint32_t active, const Now& now);
  void bound_memory();

  // storing
  void save(Slot slot, Millis ttl_before);
  void forget_gone(std::uint32_t most, const Now& now);
  void count_users_at_limit(std::uint32_t slots);
  void flush_usage(std::size_t most, bool all, const Now& now);
  void add_usage(UsageRecord::Part part, const Now& now);
  template <class OfUndo, class OfChange>
  void record(Slot user, OfUndo&& undo, OfChange&& change) {
    changes_.add(*state_, user, std::forward<OfUndo>(undo), std::forward<OfChange>(change));
  }

  // publishing
  void publish(EventKind kind, Slot user, const PackedText& session, std::uint32_t active,
               std::uint32_t limit, std::unique_ptr<EventMore> more, const Now& now);
  void publish_denied(const Start& start, Slot user, std::uint32_t limit,
                      const std::vector<Violation>& violations, const Now& now);
  void publish_limit(std::string_view user, std::string_view plan, std::uint32_t limit,
                     bool removed, const Now& now);
  Sequence last_change_of(Slot user) const;

  Policy policy_;
  std::unique_ptr<State> state_;  // before changes_, which refer to it
  ChangeLog changes_;
  Outbox outbox_;
  std::int64_t next_row_ = 1;
  Millis shortest_ = kMaxLease;
  Slot hand_ = 0;  // where sweep() goes on
  // The same among users, and how many of this round, and of the one before, are at their limit.
  Slot user_hand_ = 0;
  std::uint64_t met_at_limit_ = 0;
  std::uint64_t users_at_limit_ = 0;
  Sequence plans_changed_ = 0;  // the last change of any plan: it may concern any user
  bool publishes_renewals_ = false;
  std::optional<UserState> taken_in_;  // whoever is, for what the rules do not look at
  std::vector<Noted> notes_;           // of that user
};

}  // namespace concur
