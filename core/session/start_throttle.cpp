#include "session/start_throttle.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace concur {

std::optional<Millis> StartThrottle::refuse(std::string_view user, std::uint32_t rate,
                                            Instant now) {
  constexpr Moment kMinute = std::chrono::minutes(1);
  if (rate == 0) return std::nullopt;
  const Moment at = now.time_since_epoch();
  const std::uint64_t hash = hash_of(user);
  auto found = due_.find(hash);
  if (found == due_.end()) {
    if (due_.size() >= look_at_ && at >= look_after_) forget_rested(at);
    if (due_.size() >= kMaxUsers) return std::nullopt;
    found = due_.emplace(hash, at).first;
  }
  const Moment due = std::max(found->second, at) + kMinute / rate;
  if (due - at > kMinute) return std::chrono::ceil<Millis>(due - at - kMinute);
  found->second = due;
  share_ = kMinute / rate;
  return std::nullopt;
}

void StartThrottle::take_back(std::string_view user) {
  const auto found = due_.find(hash_of(user));
  if (found != due_.end()) found->second -= share_;
}

std::optional<StartThrottle::Moment> StartThrottle::take_out(std::string_view user) {
  const auto found = due_.find(hash_of(user));
  if (found == due_.end()) return std::nullopt;
  const Moment due = found->second;
  due_.erase(found);
  return due;
}

std::uint64_t StartThrottle::hash_of(std::string_view user) const {
  return XXH3_64bits_withSeed(user.data(), user.size(), hash_seed_);
}

// Doubles the number at which it is done again, so that each start pays little for it; where there
// are as many as there may be, the next look is a while away.
void StartThrottle::forget_rested(Moment now) {
  boost::unordered::erase_if(due_, [now](const auto& each) { return each.second <= now; });
  if (due_.size() > kMaxUsers / 2) look_after_ = now + std::chrono::milliseconds(100);
  look_at_ = std::clamp<std::size_t>(2 * due_.size(), 1024, kMaxUsers);
}

}  // namespace concur
