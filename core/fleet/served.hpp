#pragma once

#include "base/clock.hpp"
#include "session/change.hpp"
#include "session/session.hpp"
#include "session/user_state.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// What this box knows for certain: the sessions that it serves, which are those that were started
// or gave their last sign of life through it, and for one lease the ends, evictions and purges that
// it made. From this it heals what the engine forgot, and what it could not be told. All times are
// on this box's boot clock. For the loop's thread alone.
class Served {
 public:
  struct Session {
    Row row;                  // its id is the start's, in the fleet
    std::int64_t stored = 0;  // the id of its row in this box's database
    Instant started_there;    // as the fleet has it; 0: not known
    Instant saved;            // the lease's end, as stored
    Instant agreed{};         // when the engine last took it; never, where it has not
  };
  struct OfUser {
    std::vector<Session> sessions;  // oldest start first
    std::vector<GoneRow> removed;   // in the order they went
    Instant due = Instant::max();   // for when it is queued to be looked at
  };

  static constexpr std::size_t kMaxRemoved = 256;  // of one user

  // `journal` takes what is to be stored; it need not be durable before anything is answered.
  explicit Served(std::function<void(Change&&)> journal) : journal_(std::move(journal)) {}

  // At start-up: a session that was stored. A lease is at least a heartbeat interval from now on.
  void restore(Row row, const Now& now);

  // Null where nothing is known of the user.
  const OfUser* find(std::string_view user) const;

  // The user's state is that from now on, on a clock that is `ahead` of the boot clock: those of
  // its sessions are served here whose box this is. `removed`: those that this box's decision took
  // away. `agreed`: the engine took it.
  void update(const UserState& state, std::uint64_t box, std::vector<GoneRow> removed, Millis ahead,
              Instant now, bool agreed = true);

  // Brings the state to what this box knows for certain, and counts the sessions that were
  // missing: sessions served here that the engine does not have, or has as lapsed or expired, are
  // active again, even above the limit; those that ended here are gone. Nobody is given back who
  // was ended, evicted or purged by anyone, or whose name has another, later start. A state as the
  // engine has it comes back with a lease no shorter than it was. Those that the engine did not
  // take after `agreed_since` come back as long as there are fewer sessions than `limit`: so long
  // ago, others do not remember whom they removed.
  std::size_t heal(UserState& state, std::uint64_t box, Millis ahead, Instant now,
                   Instant agreed_since = Instant::min(), std::size_t limit = SIZE_MAX) const;
  // Whether it serves sessions of the user that the engine did not take after that.
  bool has_any_since(std::string_view user, Instant agreed_since) const;

  // A start that was given up, whatever became of it, is to end.
  void withdraw(std::string_view user, GoneRow start);
  // Stores all leases as they are.
  void save_leases();

  // Users of whom a lease ran out, or of whom removals are no longer to be remembered; at most so
  // many, each once.
  std::vector<std::string> take_due(std::size_t most, Instant now);
  // Forgets the user's sessions whose lease is over, and old removals.
  void forget_over(std::string_view user, Instant now);

  // Those of whom something is to be told to an engine that may have forgotten: with removals, or
  // with sessions whose lease is longer than that.
  std::vector<std::string> users_to_tell(Millis lease) const;

  std::size_t sessions() const { return sessions_; }
  std::size_t users() const { return users_.size(); }
  // Calls back with all that is to be stored in a new database.
  void copy(const std::function<void(Change&&)>& take) const;

 private:
  struct Due {
    Instant at;
    std::string user;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  static void remember(OfUser& of, GoneRow gone);
  void put(OfUser& of, const Row& row, Millis ahead, Instant agreed);
  void drop(OfUser& of, std::size_t index);
  void schedule(const std::string& user, OfUser& of);

  std::function<void(Change&&)> journal_;
  boost::unordered_flat_map<std::string, OfUser> users_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::size_t sessions_ = 0;
  std::int64_t last_stored_ = 0;
};

}  // namespace concur
