#pragma once

#include "session/session.hpp"
#include "session/user_ref.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

namespace concur {

// The users whom operators keep out; each is kept in the table for as long.
class Blocks {
 public:
  // Null where the user is not kept out at that moment.
  const Block* find(Slot user, Instant now) const;
  // The user's, over or not; null where there is none.
  const Block* find(Slot user) const;

  // In place of what there was, which is returned; without a block it takes that away.
  std::optional<Block> put(UserRef user, std::optional<Block> block);

  // A user whose block is over, which is taken away, if there is any.
  UserRef drop_over(Instant now);

  // Those that are over count until they are dropped.
  std::size_t size() const { return blocks_.size(); }

 private:
  struct OfUser {
    UserRef user;
    Block block;
  };
  struct Ending {
    Instant until;
    Slot user;
    bool operator>(const Ending& other) const { return until > other.until; }
  };

  using Endings = std::priority_queue<Ending, std::vector<Ending>, std::greater<>>;

  void add_ending(Instant until, Slot user);

  boost::unordered_flat_map<Slot, OfUser> blocks_;
  Endings endings_;  // some may be gone already, or have become others
};

}  // namespace concur
