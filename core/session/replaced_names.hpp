#pragma once

#include "base/clock.hpp"
#include "session/viewer.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace concur {

// Which names, and from which addresses, were replaced of late on a device, or evicted by the
// viewer whose address is theirs: as hashes, for every reconnect leaves some. Whoever comes back
// under one of them shares the device.
class ReplacedNames {
 public:
  // Of all users together, the latest; at most 16 MiB.
  static constexpr std::size_t kMax = 262'144;

  explicit ReplacedNames(std::uint64_t hash_seed) : hash_seed_(hash_seed) {}

  // A session of that viewer of the user was replaced, as the change of that number decided. An
  // empty address is none.
  void add(std::string_view user, const Viewer& viewer, std::string_view session,
           std::string_view address, std::uint64_t change, Instant now);

  // Whether a session of that name, or from that address, was replaced within hold-off.
  bool has(std::string_view user, const Viewer& viewer, std::string_view session,
           std::string_view address, Millis hold_off, Instant now) const;

  // Nothing that was decided after that change took place.
  void roll_back_after(std::uint64_t change);

  // Forgets those whose time is over, so many at most.
  void drop_over(std::size_t most, Millis hold_off, Instant now);

  std::size_t size() const { return since_.size(); }

  // One as it is kept elsewhere: a hash under this one's seed.
  struct One {
    std::uint64_t hash = 0;
    Instant since;
    bool operator==(const One&) const = default;
  };
  void put(const One& one) { add(one.hash, 0, one.since); }
  // All, oldest first; they are kept elsewhere from now on.
  std::vector<One> take_out();

 private:
  struct Queued {
    std::uint64_t hash;
    Instant since;
    std::uint64_t change;
    std::optional<Instant> before;  // the same hash's
  };

  std::uint64_t hash_of(std::string_view user, const Viewer& viewer, std::string_view what,
                        std::uint64_t kind) const;
  void add(std::uint64_t hash, std::uint64_t change, Instant now);
  void drop_oldest();

  std::uint64_t hash_seed_;
  boost::unordered_flat_map<std::uint64_t, Instant> since_;
  std::deque<Queued> queue_;  // oldest first; those that came again stand there twice
};

}  // namespace concur
