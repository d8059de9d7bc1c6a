#pragma once

#include "base/clock.hpp"
#include "engine/change.hpp"
#include "engine/request.hpp"
#include "engine/slot.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace concur::engine {

// Walks over all keys by SCAN, server by server, which costs nothing for slots without keys. A
// cursor means nothing but to the process that gave it, and a key that is moved from one server to
// the other meanwhile is missed: so all primaries are asked before and after the walk what is
// theirs, and where that is not the same, or a slot is being moved, the keys come by slots.
class Scan {
 public:
  // Sends a request to the owner of its slot.
  using Route = std::function<void(RequestPtr)>;

  Scan(const Clock& clock, Route route);

  // `slots`: one of each primary. A walk begins at the beginning, and is told where it goes on.
  void keys_of_cluster(const WalkPosition& from, std::vector<Slot> slots, Instant deadline,
                       OnKeys done);
  // Of the one server without cluster mode.
  void keys_of_one(const WalkPosition& from, Instant deadline, OnKeys done);

  // A server may be another one now, or own other slots: walks that are under way begin anew.
  void forget();

 private:
  struct Look;
  // Of each primary a slot and what it says of itself; nothing where a slot is being moved.
  struct Layout {
    std::vector<std::string> said{};
    std::vector<Slot> slots{};
    std::string failure{};
  };

  void look(const std::vector<Slot>& slots, Instant deadline, Callback<void(Layout&&), 56> done);
  void begin(std::vector<Slot> slots, Instant deadline, OnKeys done);
  void scan(Slot slot, const WalkPosition& from, Instant deadline, OnKeys done);
  void conclude(KeysOutcome&& last, Instant deadline, OnKeys done);
  std::uint64_t make_generation();

  const Clock& clock_;
  Route route_;
  std::uint64_t generation_ = 0;  // none: nobody has begun since the last change
  std::uint64_t last_generation_ = 0;
  Layout layout_;  // of the generation
};

// What a server of a cluster says of itself: its line "myself" of CLUSTER NODES.
struct Standing {
  std::string said;         // what stands for it: another text where it owns other slots
  std::size_t slots = 0;    // that it owns
  bool is_primary = false;  //
  bool is_moving = false;   // a slot is on its way to it or from it
};
// None where there is no such line, or it is not well-formed.
std::optional<Standing> parse_standing(std::string_view nodes);

}  // namespace concur::engine
