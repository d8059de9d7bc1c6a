#pragma once

#include "base/clock.hpp"
#include "session/answer.hpp"
#include "session/grace.hpp"
#include "session/hold_offs.hpp"
#include "session/plans.hpp"
#include "session/replaced_names.hpp"
#include "session/start_throttle.hpp"
#include "session/table.hpp"
#include "session/usage_record.hpp"

#include <cstdint>
#include <deque>
#include <optional>

namespace concur {

// All that the registry knows of users and sessions. Decisions change it, and what takes them back.
// It stays where it is, for UserRefs point into it.
class State {
 public:
  explicit State(std::uint64_t hash_seed)
      : table(hash_seed), replaced(hash_seed), throttle(hash_seed) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // The only way to a session's lease: it has got its grace when it is judged.
  SessionSlot& session(Slot slot) {
    SessionSlot& found = table.session(slot);
    if (grace.pending()) grace.give(found);
    return found;
  }
  // The same, by whoever looks at all slots, round and round.
  SessionSlot& session_in_round(Slot slot) {
    SessionSlot& found = table.session(slot);
    if (grace.pending()) {
      grace.give(found);
      grace.looked_at(slot);
    }
    return found;
  }
  UserSlot& user(Slot slot) { return table.user(slot); }
  bool is_active(Slot slot) { return slot != kNoSlot && session(slot).state == SlotState::kActive; }

  // How many of the user's sessions are active at that moment, those that nobody has noticed to be
  // expired left out.
  std::uint32_t active_at(Slot user, Instant now);

  // As the table's; these keep the plans' counts true.
  Table::Added add(std::string_view user, std::string_view session);
  Slot add_absent(std::string_view user, std::string_view session);
  void unlink(Slot slot);
  void relink(Slot slot);

  // The user must be kept by a UserRef meanwhile.
  void set_rule(Slot user, const UserRule& rule);

  // A session is gone for good: it is remembered for a while, so that a late heartbeat gets to know
  // why. A bounded number of them is.
  void remember_gone(Slot slot);
  // Forgets those whose time is over, so many at most.
  void forget_gone(std::uint32_t most, Instant now);

  SessionInfo info(Slot slot, const Now& now);
  // Where a session was evicted.
  std::optional<Eviction> eviction_of(Slot slot, const Now& now);

  Table table;  // first, so that it outlives the UserRefs of the others
  Plans plans;
  HoldOffs hold_offs;
  ReplacedNames replaced;
  UsageRecord usage;
  StartThrottle throttle;
  Grace grace;

 private:
  void count_active(Slot user, std::uint32_t before);
  void forget_oldest_gone();

  std::deque<Slot> gone_;  // in the order they went
};

}  // namespace concur
