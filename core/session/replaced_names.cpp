#include "session/replaced_names.hpp"

#include "rules/address.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace concur {

namespace {

// What is hashed.
constexpr std::uint64_t kSessionName = 1;
constexpr std::uint64_t kNetwork = 2;

}  // namespace

void ReplacedNames::add(std::string_view user, const Viewer& viewer, std::string_view session,
                        std::string_view address, std::uint64_t change, Instant now) {
  add(hash_of(user, viewer, session, kSessionName), change, now);
  if (!address.empty()) add(hash_of(user, viewer, network_of(address), kNetwork), change, now);
}

bool ReplacedNames::has(std::string_view user, const Viewer& viewer, std::string_view session,
                        std::string_view address, Millis hold_off, Instant now) const {
  if (since_.empty()) return false;
  const auto is_known = [&](std::string_view what, std::uint64_t kind) {
    const auto found = since_.find(hash_of(user, viewer, what, kind));
    return found != since_.end() && found->second + hold_off > now;
  };
  if (is_known(session, kSessionName)) return true;
  return !address.empty() && is_known(network_of(address), kNetwork);
}

// Where an earlier one comes to its right again, it may stand out of order: it goes some time.
void ReplacedNames::roll_back_after(std::uint64_t change) {
  while (!queue_.empty() && queue_.back().change > change) {
    const Queued last = queue_.back();
    queue_.pop_back();
    const auto found = since_.find(last.hash);
    if (found == since_.end()) continue;
    if (last.before) {
      found->second = *last.before;
      queue_.push_front({last.hash, *last.before, 0, std::nullopt});
    } else {
      since_.erase(found);
    }
  }
}

void ReplacedNames::drop_over(std::size_t most, Millis hold_off, Instant now) {
  for (; most > 0 && !queue_.empty() && queue_.front().since + hold_off <= now; --most) {
    drop_oldest();
  }
}

std::vector<ReplacedNames::One> ReplacedNames::take_out() {
  std::vector<One> all;
  for (const Queued& each : queue_) {
    if (since_.at(each.hash) == each.since) all.push_back({each.hash, each.since});
  }
  queue_.clear();
  since_.clear();
  return all;
}

void ReplacedNames::add(std::uint64_t hash, std::uint64_t change, Instant now) {
  if (queue_.size() >= kMax) drop_oldest();
  Queued queued{hash, now, change, std::nullopt};
  const auto [found, is_new] = since_.emplace(hash, now);
  if (!is_new) {
    queued.before = found->second;
    found->second = now;
  }
  queue_.push_back(queued);
}

void ReplacedNames::drop_oldest() {
  const auto found = since_.find(queue_.front().hash);
  if (found != since_.end() && found->second == queue_.front().since) since_.erase(found);
  queue_.pop_front();
}

std::uint64_t ReplacedNames::hash_of(std::string_view user, const Viewer& viewer,
                                     std::string_view what, std::uint64_t kind) const {
  const std::uint64_t of_user = XXH3_64bits_withSeed(user.data(), user.size(), hash_seed_ + kind);
  const auto viewer_kind = static_cast<std::uint64_t>(viewer.kind());
  const std::string& name = viewer.name();
  const std::uint64_t of_viewer =
      XXH3_64bits_withSeed(name.data(), name.size(), of_user + viewer_kind);
  return XXH3_64bits_withSeed(what.data(), what.size(), of_viewer);
}

}  // namespace concur
