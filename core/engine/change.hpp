#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace concur::engine {

// A field of a hash and its bytes; without a value it is one that is not there.
struct Field {
  std::string name;
  std::optional<std::string> value;

  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;

// How long the engine keeps a hash.
struct Expiry {
  enum class Kind {
    kAsItIs,
    kForGood,
    kAtLeast,  // for `time` from now on at least, and for twice as long at most
    kProlong,  // the same, unless it is kept for good
  };

  Kind kind = Kind::kAsItIs;
  Millis time{};
};

// A change of one hash: made as a whole where all guards hold, else not at all. A version is a
// field like others: to compare and set it, guard what it was and change it.
struct Change {
  std::string key;
  Fields guards;  // each holds where the field has just that value, or is not there
  Fields fields;  // are set, or taken away
  // By the engine's clock: later than that it is not made any more.
  std::optional<WallTime> not_after{};
  Expiry expiry{};
  // Made although the engine's memory is full.
  bool despite_full_memory = false;
  // It is to be acknowledged as the engine is configured to, behind other changes. Else the
  // primary's word is enough, and it waits behind nothing that does not.
  bool acknowledged = true;
};

// What became of a change.
struct ChangeOutcome {
  enum class Result {
    kApplied,
    kGuarded,      // a guard does not hold; `fields` are the whole hash
    kLate,         // the engine's clock is behind `not_after`
    kFull,         // the engine's memory is full
    kUnavailable,  // no answer in time, or one of no use; `cause` says why
  };

  Result result = Result::kUnavailable;
  // Of kApplied: a replica has it too, or the engine is configured not to ask.
  bool replicated = false;
  // An attempt of this very change may have been applied although its answer did not come: where it
  // is kGuarded now, perhaps by itself.
  bool repeated = false;
  WallTime now{};  // the engine's clock, where it answered
  Fields fields{};
  std::string cause{};
};

struct ReadOutcome {
  bool available = false;
  WallTime now{};
  Fields fields{};  // those that are there; none where there is no such hash
  std::string cause{};
};

// How far a walk over all keys has come; of its beginning everything is zero.
struct WalkPosition {
  static constexpr std::uint64_t kBySlots = 1;  // as a generation

  std::uint64_t at = 0;          // a slot, or the cursor of a server
  std::uint64_t generation = 0;  // of the servers, for a cursor means nothing to others
  std::uint64_t server = 0;      // of a cluster: which of its primaries the cursor is of

  static WalkPosition by_slots(std::uint64_t slot = 0) { return {slot, kBySlots, 0}; }
  bool is_by_slots() const { return generation == kBySlots; }
  bool operator==(const WalkPosition&) const = default;
};

// Some of the keys that the engine has, and where to go on; without `next` these were the last.
struct KeysOutcome {
  bool available = false;
  bool anew = false;  // there are none, and `next` is a beginning: all come, also those before
  std::vector<std::string> keys{};
  std::optional<WalkPosition> next{};
  std::string cause{};
};

}  // namespace concur::engine
