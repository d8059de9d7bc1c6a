#include "session/hold_offs.hpp"

#include "session/policy.hpp"

#include <algorithm>
#include <utility>

namespace concur {

std::optional<HoldOffs::Dropped> HoldOffs::add(Slot user, One one) {
  queue_.push_back({user, one.row, one.since});
  std::vector<One>& list = by_user_[user];
  list.push_back(std::move(one));
  if (list.size() <= kMaxHeldOff) return std::nullopt;
  const Dropped oldest{user, list.front().row};
  list.erase(list.begin());
  return oldest;
}

bool HoldOffs::take_back(Slot user, std::int64_t row) {
  const auto found = by_user_.find(user);
  if (found == by_user_.end() || found->second.back().row != row) return false;
  found->second.pop_back();
  if (found->second.empty()) by_user_.erase(found);
  return true;
}

std::optional<HoldOffs::Dropped> HoldOffs::drop_over(Instant now) {
  while (!queue_.empty() && queue_.front().since + kHoldOff <= now) {
    const Queued next = queue_.front();
    queue_.pop_front();
    const auto found = by_user_.find(next.user);
    if (found == by_user_.end()) continue;
    // The same session may have been evicted again, once the first time was undone.
    const auto one = std::ranges::find_if(found->second, [&next](const One& each) {
      return each.row == next.row && each.since == next.since;
    });
    if (one == found->second.end()) continue;
    found->second.erase(one);
    if (found->second.empty()) by_user_.erase(found);
    return Dropped{next.user, next.row};
  }
  return std::nullopt;
}

Millis HoldOffs::left(Slot user, std::string_view session, std::string_view device,
                      Instant now) const {
  Millis left{0};
  const auto found = by_user_.find(user);
  if (found == by_user_.end()) return left;
  for (const One& one : found->second) {
    const bool concerned =
        one.session.equals(session) || (!device.empty() && one.device.equals(device));
    if (concerned) left = std::max<Millis>(left, one.since + kHoldOff - now);
  }
  return left;
}

}  // namespace concur
