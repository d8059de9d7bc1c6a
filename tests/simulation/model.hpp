#pragma once

#include "session/answer.hpp"
#include "session/command.hpp"
#include "session/policy.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace concur::simulation {

// What the service must answer, written from what is promised to users: as simple as can be, for a
// handful of users. It takes each command at the moment it is given, and hears afterwards whether
// that was made durable.
class Model {
 public:
  struct Session {
    std::int64_t id = 0;  // in the order of starts
    std::string name;
    Instant started;
    Details details;
    // It is let in above the limit for a while: for how long, and which limit it brought.
    std::optional<Overlap> overlap{};
    bool rebooted = false;    // it was found after a reboot
    bool wall_moved = false;  // the wall clock was set since it started
    // Its times are known only roughly: after a reboot they go by a wall clock that was set, and it
    // depends on when it was stored by how much they are off.
    bool is_loose = false;
  };
  struct Gone {
    EndReason reason{};
    EvictedBy by;
    Instant at;
    Millis ttl{};
    WallTime wall{};  // `at`, as it was then
    bool other_boot = false;
    std::int64_t id = 0;  // the session's; 0: nobody knows any more
    std::string message{};
    bool wall_unsure = false;  // which wall clock `wall` goes by depends on who looked when
  };
  // An operator keeps a user out.
  struct KeptOut {
    concur::Block block;
    WallTime since;  // as it was then
    bool other_boot = false;
    bool operator==(const KeptOut&) const = default;
  };
  // What happened to a viewer, who is known by the device, else the address, else the session.
  struct HoldOff {
    Mark mark{};
    std::string session;
    std::string device;
    std::string address;
    Instant since;
    WallTime wall;  // the same moment, as it was then
    bool other_boot = false;
  };
  struct Rule {
    std::optional<std::uint32_t> limit;
    std::string plan;
    std::optional<OnLimit> on_limit;
    bool operator==(const Rule&) const = default;
    bool empty() const { return !limit && plan.empty() && !on_limit; }
  };
  struct User {
    std::vector<Session> sessions;  // oldest start first
    std::vector<Session> lapsed;    // expired, and nobody was told for sure: the row may stand yet
    // Its time above the limit was over, and nobody was told for sure what became of it.
    std::optional<Session> unsettled;
    Instant no_overlap_until{Instant::min()};  // for one was refused
    std::map<std::string, Gone> gone;
    std::vector<HoldOff> hold_offs;
    // When a session of that name or address was replaced on a device, or evicted by its own
    // viewer: "tv s1". Is not stored.
    std::map<std::string, Instant> replaced;
    Rule rule;
    std::optional<KeptOut> kept_out;
  };
  struct Plan {
    std::uint32_t limit = 0;
    std::optional<OnLimit> on_limit;
    bool operator==(const Plan&) const = default;
  };
  // What is stored of everybody, but for leases.
  struct State {
    std::map<std::string, User> users;
    std::map<std::string, Plan> plans;
  };
  // A sign of life is kept whatever becomes of the command that it came with; another ttl is not.
  struct Lease {
    Instant seen;
    Instant expires;
    Millis ttl{};
    Millis stored{};         // the ttl that is stored, as far as was told
    bool is_unsure = false;  // another ttl was told of, and it is not known whether it was stored
    // Its latest start, the first being 0, and how many were told of behind that. After a crash it
    // may be any of them, but for what comes since.
    std::uint32_t start = 0;
    std::uint32_t last_start = 0;
    bool start_is_unsure = false;
  };
  // A session that is active, or remembered as gone.
  struct Latest {
    StartToken start;  // by the model's ids
    bool is_unsure = false;
    bool is_active = false;
  };

  struct Given {
    Answer answer;
    std::uint64_t change = 0;  // what to tell confirm(); 0 where nothing was changed
    std::int64_t relet = 0;    // the session whose ttl it changed
  };

  Policy policy;

  Given give(const Command& command, const Now& now);
  // All changes up to this one are durable.
  void confirm(std::uint64_t change);
  // None that is not confirmed took place. They may still come back after a crash, until something
  // else was stored in their place.
  void undo();
  void overwritten();

  // True where that session expired so long ago that it may have been forgotten, for nobody knows
  // when that was noticed; then it is.
  bool may_forget(const std::string& user, const std::string& session, const Now& now);
  // Whether its time is over.
  bool is_forgotten(const Gone& gone, const Now& now) const;
  // That session's lease is stored with the ttl it was told of.
  void settle_lease(std::int64_t session, Millis ttl);

  // None where that session is neither.
  std::optional<Latest> latest(const std::string& user, const std::string& session) const;
  // Of a session of which it was not known which start was its latest: it was this one.
  void settle_start(const StartToken& start);

  // --- who is let in above the limit for a while

  // Null where the user has none.
  static const Session* overlapping(const User& user);
  static Instant overlap_end(const Session& session) {
    return session.started + session.overlap->length;
  }
  // Whether anybody is, as far as is known.
  bool has_overlaps() const;
  // Whether there is room for that session beside so many others.
  bool has_room(const State& state, const std::string& user, const Session& session,
                std::size_t others) const;
  // Others that are active at that moment.
  std::size_t others_at(const User& user, const Session& session, Instant at) const;
  // The users of those who were refused since this was asked last.
  std::vector<std::string> take_refused() { return std::exchange(refused_, {}); }

  // The wall clock was set.
  void set_wall();
  // The sessions that gave a sign of life since then were stored anew, in this boot.
  void save(Instant since);
  // The boot clock begins anew, so much further on, by the wall clock; or less far.
  void shift(Millis by);
  // From now on all that was durable once may be found again, until something is.
  void remember_all() { remembers_all_ = true; }
  // Suspended until now, for so long.
  void wake(Millis slept, const Now& now);

  // What may be found after a crash, the likeliest first.
  std::vector<State> possible() const;
  // This was found.
  void adopt(State state);

  const State& state() const { return state_; }
  Lease& lease(std::int64_t id) { return leases_[id]; }
  bool is_over(std::int64_t id, const Now& now) const {
    return leases_.at(id).expires <= now.instant;
  }
  std::vector<std::string> users() const;

 private:
  struct Terms {
    std::uint32_t limit;
    OnLimit on_limit;
    LimitSource from;
  };

  Answer decide(const Start& start, const Now& now);
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

  bool is_earlier(const std::optional<StartToken>& start, std::int64_t session) const;
  void accept_start(const std::optional<StartToken>& start, std::int64_t session);
  void relet(const Session& session, std::optional<Millis> ttl, const Now& now);
  template <class Change>
  void in_each_state(const Change& change);
  Terms terms_of(const std::string& user) const { return terms_in(state_, user); }
  Terms terms_in(const State& state, const std::string& user) const;
  void settle(const std::string& name, User& user, const Now& now);
  void tell_settled(User& user);
  void tell_settled(const Command& command);
  bool may_overlap(const User& user, const Terms& terms, const std::vector<std::string>& leaving,
                   const Now& now) const;
  void expire(User& user, const Now& now);
  void expire_all(const Now& now);
  void settle_lapsed(User& user);
  void remove(User& user, const std::string& session, Gone gone, const Now& now);
  const Gone* gone_of(const User& user, const std::string& session, const Now& now) const;
  std::string viewer_of(const User& user, const std::string& session, const Details& details,
                        const Now& now) const;
  std::uint32_t changes_of(const User& user, const std::string& viewer, const Now& now) const;
  Millis left_of(const User& user, Mark mark, const std::string& viewer, const Now& now) const;
  bool comes_back(const User& user, const std::string& viewer, const std::string& session,
                  const std::string& address, const Now& now) const;
  void mark(User& user, Mark mark, const Details& details, const std::string& session,
            const Now& now) const;
  void evict(User& user, const std::string& session, const Start& by, const Now& now);
  Granted grant(const std::string& user, const Session& session, std::uint32_t limit, bool renewed,
                const Now& now);
  Denied deny(const Start& start, std::uint32_t attempted, std::uint32_t limit,
              const std::vector<std::string>& leaving, const Now& now);
  SessionInfo info(const std::string& user, const Session& session, const Now& now) const;
  UserLimit limit_of(const std::string& user, const Now& now);
  const concur::Block* block_of(const std::string& user, const Now& now);
  void keep_out(User& user, std::optional<Millis> length, const std::string& message,
                const Now& now);
  PlanInfo plan_info(const std::string& plan) const;

  State state_;
  State durable_;
  struct Step {
    std::uint64_t change;
    State state;
  };
  std::vector<Step> steps_;    // after each change that is not confirmed
  std::vector<State> ghosts_;  // what was undone
  std::vector<State> past_;    // what is to be remembered
  bool remembers_all_ = false;
  std::map<std::int64_t, Lease> leases_;
  std::uint64_t changes_ = 0;
  bool changed_ = false;
  std::int64_t relet_ = 0;
  std::vector<std::string> refused_;
  std::int64_t next_id_ = 1;
};

}  // namespace concur::simulation
