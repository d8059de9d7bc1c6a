#pragma once

#include "base/clock.hpp"
#include "base/turn.hpp"
#include "engine/engine.hpp"
#include "fleet/fleet_config.hpp"
#include "fleet/served.hpp"
#include "fleet/user_fields.hpp"
#include "service/backlog.hpp"
#include "service/fleet_status.hpp"
#include "service/kept_command.hpp"
#include "service/service.hpp"
#include "session/judge.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace concur {

// Decides here and commits there: a desk for each user about whom something is asked. What comes
// for one user while its change is under way is decided together next; a decision that rests on
// what is not true any more is made again on what the engine answered.
//
// The states of a desk, and what ends them:
//   idle      what the engine last answered is known, or nothing; a command comes
//   decided   a change, or a read of what an answer rests on that changes nothing, is under way;
//             its outcome comes: answered (idle), refused (decided again), or unavailable
//   paused    it was refused twice running, by others who are as busy; a few milliseconds
// Where the engine does not answer, the policy says what becomes of a start, and all else goes on
// by what this box knows. For the loop's thread alone.
class Desks {
 public:
  // Of users whose state is brought to an engine that may have forgotten it, so many at once.
  static constexpr std::size_t kMaxSyncs = 64;
  // Cut off for longer, this box's sessions come back by the rules: nobody remembers any more whom
  // others removed meanwhile.
  static constexpr Millis kMaxCutOff = std::chrono::hours(24);

  struct Surroundings {
    boost::asio::io_context& loop;
    Turn& turn;
    const Clock& clock;
    engine::Engine& engine;
    Judge& judge;
    Served& served;
    FleetCounts& counts;
    std::function<void(std::vector<Event>&&)> publish;
    std::function<std::string(std::uint64_t box)> label_of;
    // That box serves a session of the user that was ended here.
    std::function<void(std::uint64_t box, std::string_view user)> tell;
  };

  // All must outlive it. `prefix`: of the fleet's keys; `box`: this one's identity.
  Desks(Surroundings surroundings, const FleetConfig& config, std::string prefix,
        std::uint64_t box);
  Desks(const Desks&) = delete;
  Desks& operator=(const Desks&) = delete;

  // A command about one user.
  void submit(std::string_view user, const Command& command, const Now& now, Service::Reply reply);
  // What a box that is new in the fleet brings along: it holds where nothing is set for the user.
  void submit_where_unset(const SetLimit& set, const Now& now, Service::Reply reply);
  void submit_where_unset(const SetBlock& set, const Now& now, Service::Reply reply);

  // Brings what this box knows of the user to the engine, and ends what is over.
  void sync(std::string_view user);
  // The same of all of whom the engine may have forgotten something.
  void sync_all();
  // The same of all whom this box serves, as after its start.
  void sync_all_served();
  // Until then others' leases count as lapsed a heartbeat interval later: a primary was away, so
  // that signs of life did not come through, or its clock was set.
  void give_grace(Instant until) { grace_until_ = std::max(grace_until_, until); }
  // To be called some times a second: ends leases that ran out, goes on with what is to be synced.
  void tick(bool engine_is_whole);

  std::size_t commands_under_way() const { return under_way_; }
  // Bounds on what is under way; beyond them a command is refused before it is submitted.
  const Backlog& backlog() const { return backlog_; }

 private:
  struct Pending {
    std::optional<KeptCommand> command;  // none: a sync
    Service::Reply reply;
    Instant deadline;
    std::int64_t start = 0;  // the number of the start that it makes, the same in each attempt
    bool where_unset = false;
  };
  // What was decided, until the engine's outcome is known.
  struct Decided {
    Now now;         // by the engine's clock
    Millis ahead{};  // of that before the boot clock
    std::vector<Answer> answers;
    std::vector<Event> events;
    std::vector<Noted> notes;
    UserState after;
    std::vector<GoneRow> removed;
    std::vector<std::uint64_t> to_tell;  // boxes that served some of them
    UserFields change;
    std::string change_number;  // empty where only leases change
    std::size_t reclaimed = 0;
  };
  struct Desk : boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    std::string user;
    std::string key;
    UserFields known;                // as the engine last had it; sorted
    std::optional<UserFields> away;  // what was decided without it since
    std::size_t bytes = 0;           // of it, as counted
    bool fresh = false;              // `known` was read for this decision
    bool busy = false;               // waits for the engine, or for its turn
    unsigned refusals = 0;           // of this decision
    std::vector<Pending> deciding;
    std::vector<Pending> waiting;
    Decided decided;
    std::chrono::nanoseconds asked{};
  };
  void submit_where_unset(std::string_view user, const Command& set, const Now& now,
                          Service::Reply reply);
  void begin_command() {
    ++under_way_;
    backlog_.add(0);
  }
  void end_command() {
    --under_way_;
    backlog_.remove(0);
  }
  Desk& desk_of(std::string_view user);
  void enqueue(Desk& desk);
  void run_ready();
  void decide(Desk& desk);
  Decided judge(Desk& desk, ReadUser& read, const Now& now, Millis ahead, bool away);
  std::size_t heal(UserState& state, const Now& now, Millis ahead);
  std::size_t limit_of(const UserState& state, const Now& now);
  void name_boxes(Answer& answer, const UserState& state) const;
  Answer judge_one(Pending& pending, const UserState& before, std::int64_t& last_start,
                   const Now& now);
  void ask(Desk& desk, const ReadUser& read, const UserFields& lapsed);
  void acknowledge(Desk& desk, const std::string& version);
  void on_change(Desk& desk, engine::ChangeOutcome&& outcome);
  void on_read(Desk& desk, engine::ReadOutcome&& outcome);
  static void put_back_but_starts(Desk& desk);
  void decide_again(Desk& desk, UserFields&& fields);
  void settle(Desk& desk);
  void notice_taken(Decided& decided) const;
  void decide_away(Desk& desk, const std::string& cause, bool unknown);
  void finish(Desk& desk, std::vector<Answer>&& answers);
  void refuse(Pending& pending, ErrorKind kind, const std::string& cause);
  void remember(Desk& desk);
  void measure(Desk& desk);
  Millis ahead_of(const Desk& desk, const Now& now) const;
  std::int64_t new_start(Instant at);

  Surroundings to_;
  Unavailable unavailable_;
  Millis timeout_;
  std::size_t most_bytes_;
  std::string prefix_;
  std::uint64_t box_;

  using List = boost::intrusive::list<Desk, boost::intrusive::constant_time_size<false>>;
  std::unordered_map<std::string, Desk> desks_;  // which stay where they are
  List idle_;                                    // the one longest so first
  std::size_t bytes_ = 0;
  std::vector<Desk*> ready_;
  OwnStep<&Desks::run_ready, Desks> ready_step_{*this};
  std::unordered_set<std::string> unsynced_;
  std::deque<std::string> to_sync_;
  std::size_t syncs_ = 0;
  std::size_t under_way_ = 0;
  Backlog backlog_{"the fleet's engine"};
  std::int64_t last_start_ = 0;
  Instant grace_until_{};
  std::optional<Instant> cut_off_at_;
  // What the engine took no later may have been purged elsewhere and forgotten: a day before the
  // end of the last cut-off that was too long.
  Instant agreed_since_ = Instant::min();
};

}  // namespace concur
