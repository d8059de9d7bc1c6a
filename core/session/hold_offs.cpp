#include "session/hold_offs.hpp"

#include "session/policy.hpp"

#include <algorithm>
#include <utility>

namespace concur {

std::optional<std::int64_t> HoldOffs::add(UserRef user, One one) {
  const Slot slot = user.slot();
  queue_.push_back({slot, one.row, one.since});
  OfUser& held_off = by_user_[slot];
  held_off.user = std::move(user);
  std::vector<One>& list = held_off.list;
  list.push_back(std::move(one));
  if (list.size() <= kMaxHeldOff) return std::nullopt;
  const std::int64_t oldest = list.front().row;
  list.erase(list.begin());
  return oldest;
}

void HoldOffs::remove_latest(Slot user, std::int64_t row) {
  const auto found = by_user_.find(user);
  if (found == by_user_.end() || found->second.list.back().row != row) return;
  found->second.list.pop_back();
  if (found->second.list.empty()) by_user_.erase(found);
}

std::optional<std::int64_t> HoldOffs::drop_over(Instant now) {
  while (!queue_.empty() && queue_.front().since + kHoldOff <= now) {
    const Queued next = queue_.front();
    queue_.pop_front();
    const auto found = by_user_.find(next.user);
    if (found == by_user_.end()) continue;
    std::vector<One>& list = found->second.list;
    // The same session may have been evicted again, once the first time was rolled back.
    const auto one = std::ranges::find_if(list, [&next](const One& each) {
      return each.row == next.row && each.since == next.since;
    });
    if (one == list.end()) continue;
    list.erase(one);
    if (list.empty()) by_user_.erase(found);
    return next.row;
  }
  return std::nullopt;
}

Millis HoldOffs::left(Slot user, const Applicant& start, Instant now) const {
  const auto found = by_user_.find(user);
  return found == by_user_.end() ? Millis(0) : hold_off_left(found->second.list, start, now);
}

}  // namespace concur
