#include "session/usage_record.hpp"

#include "rules/address.hpp"
#include "session/policy.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace concur {

namespace {

std::int64_t hour_of(WallTime at) {
  return std::chrono::floor<std::chrono::hours>(at.time_since_epoch()).count();
}

std::uint32_t player_of(std::string_view device, std::string_view session) {
  const std::string_view name = device.empty() ? session : device;
  return static_cast<std::uint32_t>(XXH3_64bits(name.data(), name.size()));
}

}  // namespace

UsageRecord::Entry& UsageRecord::entry_of(const UserRef& user, const Now& now) {
  std::unique_ptr<Entry>& entry = users_[user.slot()];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>();
    entry->usage.hour = hour_of(now.wall());
    queue_.push_back({user.another(), now.instant});
  }
  return *entry;
}

// What is left of the hour before, where another has begun.
std::optional<Usage> UsageRecord::begin_hour(Entry& entry, const Now& now) {
  const std::int64_t hour = hour_of(now.wall());
  if (entry.usage.hour == hour) return std::nullopt;
  std::optional<Usage> before;
  if (!entry.usage.empty()) before = std::move(entry.usage);
  entry.usage = Usage();
  entry.usage.hour = hour;
  return before;
}

std::optional<UsageRecord::Part> UsageRecord::count_place(UserRef user, std::string_view device,
                                                          std::string_view address, bool conflict,
                                                          const Now& now) {
  Entry& entry = entry_of(user, now);
  std::optional<Part> before;
  if (auto usage = begin_hour(entry, now)) before = {std::move(user), std::move(*usage)};
  Usage& usage = entry.usage;
  if (!device.empty()) usage.devices.add(device);
  if (!address.empty()) usage.addresses.add(household_of(address));
  if (!conflict) return before;
  ++usage.conflicts;
  usage.excess = std::max(usage.excess, 1U);
  return before;
}

std::optional<UsageRecord::Part> UsageRecord::count(UserRef user, const Attempt& attempt,
                                                    Millis lease, const Now& now) {
  Entry& entry = entry_of(user, now);
  std::optional<Part> before;
  if (auto usage = begin_hour(entry, now)) before = {std::move(user), std::move(*usage)};
  Usage& usage = entry.usage;
  usage.starts += attempt.outcome == Attempt::Outcome::kStarted ? 1 : 0;
  usage.denials += attempt.denied ? 1 : 0;
  usage.evictions += attempt.evictions;
  if (attempt.denied && !attempt.rule.empty()) {
    usage.by_rule.set(attempt.rule, usage.by_rule.find(attempt.rule).value_or(0) + 1);
  }
  if (!attempt.device.empty()) usage.devices.add(attempt.device);
  if (!attempt.address.empty()) usage.addresses.add(household_of(attempt.address));
  count_players(entry, attempt, lease, now.instant);
  const auto wanted = attempt.active + static_cast<std::uint32_t>(entry.unserved.size());
  usage.peak = std::max(usage.peak, attempt.active);
  usage.attempted = std::max(usage.attempted, wanted);
  if (attempt.limit != kUnlimited && wanted > attempt.limit) {
    usage.excess = std::max(usage.excess, wanted - attempt.limit);
  }
  return before;
}

// Who wants to watch and does not: refused or evicted within the last lease, and not let in since.
void UsageRecord::count_players(Entry& entry, const Attempt& attempt, Millis lease, Instant now) {
  std::vector<Unserved>& unserved = entry.unserved;
  const std::uint32_t player = player_of(attempt.device, attempt.session);
  std::erase_if(unserved,
                [&](const Unserved& each) { return each.until <= now || each.player == player; });
  const auto add = [&](std::uint32_t who) {
    const bool known = std::ranges::count(unserved, who, &Unserved::player) > 0;
    if (!known && unserved.size() < kMaxUnserved) unserved.push_back({who, now + lease});
  };
  if (attempt.outcome == Attempt::Outcome::kRefused) add(player);
  for (const std::string& evicted : attempt.evicted) add(player_of({}, evicted));
}

std::optional<UsageRecord::Part> UsageRecord::count(UserRef user, const Noted& noted) {
  if (!noted.attempt) {
    return count_place(std::move(user), noted.device, noted.address, noted.conflict, noted.now);
  }
  Attempt attempt = *noted.attempt;
  attempt.session = noted.session;
  attempt.device = noted.device;
  attempt.address = noted.address;
  attempt.rule = noted.rule;
  return count(std::move(user), attempt, noted.lease, noted.now);
}

std::optional<UsageRecord::Part> UsageRecord::take(const Now& now, bool all) {
  if (queue_.empty() || (!all && queue_.front().since + kPart > now.instant)) return std::nullopt;
  UserRef user = std::move(queue_.front().user);
  queue_.pop_front();
  const auto found = users_.find(user.slot());
  assert(found != users_.end());
  Entry& entry = *found->second;
  std::erase_if(entry.unserved, [&](const Unserved& each) { return each.until <= now.instant; });
  const std::int64_t hour = entry.usage.hour;
  Usage usage = std::exchange(entry.usage, Usage());
  entry.usage.hour = hour;
  if (entry.unserved.empty()) {
    users_.erase(found);
  } else {
    queue_.push_back({user.another(), now.instant});
  }
  return Part{std::move(user), std::move(usage)};
}

// The user stays until its turn comes, even if nothing is left of it: it has its place in the
// queue.
void UsageRecord::uncount_start(Slot user) {
  const auto found = users_.find(user);
  if (found == users_.end() || found->second->usage.starts == 0) return;
  Usage& usage = found->second->usage;
  --usage.starts;
  if (!usage.counts_nothing()) return;
  const std::int64_t hour = usage.hour;
  usage = Usage();
  usage.hour = hour;
}

void UsageRecord::uncount_denial(Slot user, std::string_view rule) {
  const auto found = users_.find(user);
  if (found == users_.end()) return;
  Usage& usage = found->second->usage;
  std::uint64_t counted = usage.denials;
  if (rule.empty()) {
    for (const auto& [name, denials] : usage.by_rule.all()) counted -= denials;
  } else {
    counted = usage.by_rule.find(rule).value_or(0);
  }
  if (counted == 0) return;
  --usage.denials;
  if (rule.empty()) return;
  const auto left = static_cast<std::uint32_t>(counted - 1);
  usage.by_rule.set(rule, left == 0 ? std::nullopt : std::optional(left));
}

void UsageRecord::uncount_conflict(Slot user) {
  const auto found = users_.find(user);
  if (found != users_.end() && found->second->usage.conflicts > 0) --found->second->usage.conflicts;
}

void UsageRecord::put_back(Part part, const Now& now) {
  Entry& entry = entry_of(part.user, now);
  if (entry.usage.empty()) {
    entry.usage = std::move(part.usage);
  } else if (entry.usage.hour == part.usage.hour) {
    entry.usage.merge(part.usage);
  }
}

}  // namespace concur
