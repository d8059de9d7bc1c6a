#pragma once

#include "base/clock.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace concur {

// How many sessions of each user may start: as many as the rate at once, and then one each minute's
// share of it, by the generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling). For
// one thread.
class StartThrottle {
 public:
  // Users are looked after as long as they are not at rest, so many at most: 2 MiB. Who comes on
  // top while that many are busy is let through.
  static constexpr std::size_t kMaxUsers = 65'536;

  explicit StartThrottle(std::uint64_t hash_seed) : hash_seed_(hash_seed) {}

  // Takes a start into account, `rate` a minute being allowed; 0 is any number. Where it is one too
  // many, how long until the next one is not, and it does not count.
  std::optional<Millis> refuse(std::string_view user, std::uint32_t rate, Instant now);

  // The user's latest start did not take place after all.
  void take_back(std::string_view user);

  std::size_t users() const { return due_.size(); }

  using Moment = std::chrono::nanoseconds;  // on the boot clock

  // When the user's next start would be on time; it is looked after elsewhere from now on. None
  // where that user is at rest, or was never seen.
  std::optional<Moment> take_out(std::string_view user);
  void put(std::string_view user, Moment due) { due_[hash_of(user)] = due; }

 private:
  std::uint64_t hash_of(std::string_view user) const;
  void forget_rested(Moment now);

  std::uint64_t hash_seed_;
  // By the hash of the name: when the start after those that were taken would be on time.
  boost::unordered_flat_map<std::uint64_t, Moment> due_;
  Moment share_{};              // of a minute, that the start taken last used up
  std::size_t look_at_ = 1024;  // users, before the rested are looked for
  Moment look_after_{};         // nor before that moment
};

}  // namespace concur
