#pragma once

#include "base/clock.hpp"
#include "session/int48.hpp"
#include "session/packed_text.hpp"
#include "session/plans.hpp"
#include "session/session.hpp"
#include "session/slab.hpp"
#include "session/slot_texts.hpp"
#include "session/start_token.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

enum class SlotState : std::uint8_t {
  kFree,
  kActive,
  kEnded,
  kExpired,
  kEvicted,
  kPurged,
  kDenied,  // it was let in for a while, and then there was no room for it
};

// Somebody else ended it: its viewer is told so after a restart, too.
constexpr bool was_ended_by_others(SlotState state) {
  return state == SlotState::kEvicted || state == SlotState::kPurged || state == SlotState::kDenied;
}

// Why one that is gone went.
EndReason reason_of(SlotState gone);
SlotState state_of(EndReason reason);

// One session in memory, active or remembered as gone. Laid out for size: there may be millions.
struct SessionSlot {
  Slot user = kNoSlot;
  Slot prev = kNoSlot;  // the same user's active sessions, oldest start first; kept as they were
                        // when unlinked
  Slot next = kNoSlot;
  std::uint32_t ttl_ms = 0;
  std::uint32_t unsaved_ms = 0;  // how far last_seen lies ahead of the one in the store
  std::uint32_t seen_ms = 0;     // how long before `expires` the last sign of life came
  std::uint32_t start = 0;       // the latest of its starts, as its token counts them
  Int48 row;                     // 0 of a gone session that an earlier run remembered
  Int48 started_ms;              // on the boot clock; of a gone session: its number among the gone
  Int48 expires_ms;              // on the boot clock; of a gone session: when it went
  PackedText name;
  SlotState state = SlotState::kFree;

  Millis ttl() const { return Millis(ttl_ms); }
  Instant started() const { return Instant(Millis(started_ms)); }
  Instant expires() const { return Instant(Millis(expires_ms)); }
  Instant last_seen() const { return expires() - Millis(seen_ms); }
  void set_started(Instant at) { started_ms = at.time_since_epoch().count(); }
  void set_expires(Instant at) { expires_ms = at.time_since_epoch().count(); }
  void set_lease(Instant last_seen, Instant expiry);

  bool is_gone() const { return state != SlotState::kFree && state != SlotState::kActive; }
  Int48 gone_number() const { return started_ms; }
  bool is_gone_as(Int48 number) const { return is_gone() && started_ms == number; }

  StartToken token() const { return {static_cast<std::uint64_t>(std::int64_t{row}), start}; }
  // It was started again, though it is active.
  void start_again(Instant now);
  // A client has this token, which is no earlier than its own: a crash may have made it forget.
  void learn_start(const StartToken& known, Instant now);
};
static_assert(sizeof(SessionSlot) <= 64);

struct UserSlot {
  Slot head = kNoSlot;
  Slot tail = kNoSlot;
  std::uint32_t active = 0;  // the length of the list from head to tail
  std::uint32_t held = 0;    // sessions that name this user, gone ones too, and UserRefs
  UserRule rule;
  Instant earliest = Instant::max();  // no active session of this user expires before
  Int48 last_change;
  PackedText name;
  bool crowded : 1 = false;        // its active sessions are indexed
  bool shares_device : 1 = false;  // several may be on one device; only one of them is indexed
};
static_assert(sizeof(UserSlot) <= 56);

class UserRef;

// The sessions in memory and the ways to find them: by user and name, by user in the order of
// starts, by slot. Knows nothing of limits or of undoing. Not for use by several threads.
//
// A user stays while it has a session, gone ones too, a rule, or a UserRef. Whoever takes a rule
// away holds a UserRef meanwhile.
//
// A user's few active sessions are found by a walk; indexed are those of crowded users, and the
// gone. Most users have few, and an index of all would be a sixth of the memory.
class Table {
 public:
  // `seed` keys the hashes, so that chosen names cannot be made to collide.
  explicit Table(std::uint64_t seed) : seed_(seed) {}
  Table(const Table&) = delete;  // UserRefs point to it
  Table& operator=(const Table&) = delete;

  // kNoSlot where there is none.
  Slot find_user(std::string_view name) const;
  Slot find_session(Slot user, std::string_view name) const;

  // Adds an active session behind the user's others and indexes it, in place of a gone one of the
  // same name.
  struct Added {
    Slot slot;
    Slot gone;  // kNoSlot where there was none
  };
  Added add(std::string_view user, std::string_view session);

  // The same, but kNoSlot and nothing changed where that user has a session of that name.
  Slot add_absent(std::string_view user, std::string_view session);

  // Adds a session that is gone already; the user must have none of that name.
  Slot add_gone(std::string_view user, std::string_view session, SlotState why);

  // A hint: this user is about to be looked up. run_prefetches() brings what that looks at into the
  // processor's cache, for all such users together: one after the other, each lookup would wait for
  // memory several times. Neither changes anything.
  void prefetch(std::string_view user);
  void run_prefetches();

  // The active one of the user on that device, or one of them; kNoSlot where there is none.
  Slot find_device(Slot user, std::string_view device) const;

  // Takes an active session off its user's list, or puts it back. Putting back must mirror the
  // taking off: the last one off is the first one back, so that the links it kept are true again.
  void unlink(Slot slot);
  void relink(Slot slot);

  // Makes a gone session findable again, if it is still the one of that user and name and no other
  // has taken its place.
  void remember(Slot slot, Slot user, std::string_view name);

  // Drops the session, which is unlinked, and its user where nothing else keeps it.
  void release(Slot slot);

  // By name: the user is added where it is not there.
  UserRef keep(std::string_view name);
  UserRef keep(Slot user);

  SessionSlot& session(Slot slot) { return sessions_[slot]; }
  const SessionSlot& session(Slot slot) const { return sessions_[slot]; }
  UserSlot& user(Slot slot) { return users_[slot]; }
  const UserSlot& user(Slot slot) const { return users_[slot]; }

  const Details* details(Slot slot) const;
  void set_details(Slot slot, Details details);

  // A gone session needs none any more.
  void clear_details(Slot slot) { details_.erase(slot); }

  // Of a session that was evicted; none for others.
  const EvictedBy* evicted_by(Slot slot) const;
  void set_evicted_by(Slot slot, EvictedBy by);
  void clear_evicted_by(Slot slot) { evicted_by_.erase(slot); }

  // What an operator has to say to the viewer of one that went; null for nothing.
  const std::string* message(Slot slot) const { return messages_.find(slot); }
  void set_message(Slot slot, std::string_view message) { messages_.set(slot, message); }
  void clear_message(Slot slot) { messages_.erase(slot); }

  Slot users_end() const { return users_.end(); }
  Slot end() const { return sessions_.end(); }
  std::size_t active_sessions() const { return active_; }
  std::size_t active_users() const { return active_users_; }

 private:
  // The hash beside the slot keeps a growing index from visiting every session.
  struct Entry {
    std::uint32_t hash = 0;
    Slot slot = kNoSlot;
  };
  struct HashKey {  // finds who most likely is meant, without a look at the user
    std::uint32_t hash;
  };
  struct UserKey {
    const Table& table;
    std::string_view name;
    std::uint32_t hash;
  };
  struct SessionKey {
    const Table& table;
    Slot user;
    const PackedText& name;
    std::uint32_t hash;
  };
  struct DeviceKey {
    const Table& table;
    Slot user;
    std::string_view device;
    std::uint32_t hash;
  };
  struct Hash {
    using is_transparent = void;
    template <class T>
    std::size_t operator()(const T& of) const {
      return of.hash;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.slot == b.slot; }
    bool operator()(HashKey key, const Entry& e) const { return key.hash == e.hash; }
    bool operator()(const Entry& e, HashKey key) const { return (*this)(key, e); }
    bool operator()(const UserKey& key, const Entry& e) const;
    bool operator()(const Entry& e, const UserKey& key) const { return (*this)(key, e); }
    bool operator()(const SessionKey& key, const Entry& e) const;
    bool operator()(const Entry& e, const SessionKey& key) const { return (*this)(key, e); }
    bool operator()(const DeviceKey& key, const Entry& e) const;
    bool operator()(const Entry& e, const DeviceKey& key) const { return (*this)(key, e); }
  };
  using Index = boost::unordered_flat_set<Entry, Hash, Equal>;

  // In parts by hash, for one that has no room any more moves all that it has: a million that go at
  // once must not wait for that.
  class PartedIndex {
   public:
    Index& of(std::uint32_t hash) { return parts_[hash >> kShift]; }
    const Index& of(std::uint32_t hash) const { return parts_[hash >> kShift]; }

   private:
    static constexpr unsigned kShift = 24;
    std::array<Index, std::size_t{1} << (32 - kShift)> parts_;
  };

  friend class UserRef;
  void let_go(Slot user) {
    assert(users_[user].held > 0);
    if (--users_[user].held == 0) drop_unless_ruled(user);
  }
  void drop_unless_ruled(Slot user);

  UserKey user_key(std::string_view name) const;
  DeviceKey device_key(Slot user, std::string_view device) const;
  void index_device(Slot slot);
  Slot find_other_on_device(Slot slot, std::string_view device) const;
  void unindex_device(Slot slot);
  SessionKey session_key(Slot user, const PackedText& name) const;
  Slot find_or_add_user(std::string_view name);
  Slot find_session(Slot user, const PackedText& name) const;
  Added add(Slot owner, PackedText name);
  void link(Slot slot);
  void index_session(Slot slot);
  void unindex_session(Slot slot);
  void set_crowded(UserSlot& owner, bool crowded);

  std::uint64_t seed_;
  Slab<SessionSlot> sessions_;
  Slab<UserSlot> users_;
  PartedIndex session_index_;  // gone ones, and active ones of crowded users
  Index user_index_;
  Index device_index_;  // an active session of each device
  boost::unordered_flat_map<Slot, std::unique_ptr<Details>> details_;
  boost::unordered_flat_map<Slot, EvictedBy> evicted_by_;
  SlotTexts messages_;
  std::size_t active_ = 0;
  std::size_t active_users_ = 0;
  mutable Slot found_ = kNoSlot;  // the user found last
  std::vector<HashKey> prefetches_;
  std::vector<Slot> walks_;  // of those, while they run
};

}  // namespace concur
