#pragma once

#include "base/clock.hpp"
#include "session/packed_text.hpp"
#include "session/session.hpp"
#include "session/user_ref.hpp"
#include "session/viewer.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace concur {

// What is remembered of viewers for as long as hold-off is, by user, who is kept for as long. Each
// is known by a row id.
class HoldOffs {
 public:
  struct One {
    std::int64_t row = 0;
    PackedText session;
    PackedText device;
    PackedText network;
    Mark mark = Mark::kHeldOff;
    Instant since;

    Viewer::Kind kind() const;
    bool is(const Viewer& viewer) const { return kind() == viewer.kind() && has(viewer); }
    bool has(const Viewer& viewer) const;
    bool has_either(const Viewer& viewer) const;
  };

  // In the order of `since`. Where the user has too many of the kind, the oldest goes: its row id
  // comes back.
  std::optional<std::int64_t> add(UserRef user, One one);

  // Drops the user's latest, if it is the one of that row.
  void remove_latest(Slot user, std::int64_t row);

  // Drops one whose time is over and returns its row id, if there is any.
  std::optional<std::int64_t> drop_over(Millis hold_off, Instant now);

  // The user's, oldest first. They stay where they are until the next change.
  std::span<const One> of(Slot user) const;

  std::size_t users() const { return by_user_.size(); }
  // Of all users.
  void clear() {
    by_user_.clear();
    queue_.clear();
  }

 private:
  struct OfUser {
    UserRef user;
    std::vector<One> list;
  };
  struct Queued {
    Slot user;
    Mark mark;
    std::int64_t row;
    Instant since;
  };

  boost::unordered_flat_map<Slot, OfUser> by_user_;
  std::deque<Queued> queue_;  // oldest first; some may be gone already
};

// As a stored one is kept, and as it is stored.
HoldOffs::One mark_of(const HoldOffRow& row, Instant since);
HoldOffRow row_of(const HoldOffs::One& one, std::string user);

}  // namespace concur
