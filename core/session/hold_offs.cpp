#include "session/hold_offs.hpp"

#include "session/policy.hpp"

#include <algorithm>
#include <utility>

namespace concur {

std::optional<std::int64_t> HoldOffs::add(UserRef user, One one) {
  const Slot slot = user.slot();
  const Mark mark = one.mark;
  queue_.push_back({slot, mark, one.row, one.since});
  OfUser& held_off = by_user_[slot];
  held_off.user = std::move(user);
  std::vector<One>& list = held_off.list;
  list.push_back(std::move(one));
  if (list.size() <= kMaxHeldOff) return std::nullopt;
  if (std::ranges::count(list, mark, &One::mark) <= static_cast<std::ptrdiff_t>(kMaxHeldOff)) {
    return std::nullopt;
  }
  const auto oldest = std::ranges::find(list, mark, &One::mark);
  const std::int64_t row = oldest->row;
  list.erase(oldest);
  return row;
}

void HoldOffs::remove_latest(Slot user, std::int64_t row) {
  const auto found = by_user_.find(user);
  if (found == by_user_.end() || found->second.list.back().row != row) return;
  found->second.list.pop_back();
  if (found->second.list.empty()) by_user_.erase(found);
}

std::optional<std::int64_t> HoldOffs::drop_over(Millis hold_off, Instant now) {
  while (!queue_.empty() && queue_.front().since + hold_off <= now) {
    const Queued next = queue_.front();
    queue_.pop_front();
    const auto found = by_user_.find(next.user);
    if (found == by_user_.end()) continue;
    std::vector<One>& list = found->second.list;
    // The same session may have been evicted again, once the first time was rolled back.
    const auto one = std::ranges::find_if(list, [&next](const One& each) {
      return each.row == next.row && each.mark == next.mark && each.since == next.since;
    });
    if (one == list.end()) continue;
    list.erase(one);
    if (list.empty()) by_user_.erase(found);
    return next.row;
  }
  return std::nullopt;
}

std::span<const HoldOffs::One> HoldOffs::of(Slot user) const {
  if (by_user_.empty()) return {};
  const auto found = by_user_.find(user);
  return found == by_user_.end() ? std::span<const One>()
                                 : std::span<const One>(found->second.list);
}

Viewer::Kind HoldOffs::One::kind() const {
  if (!device.empty()) return Viewer::Kind::kDevice;
  return network.empty() ? Viewer::Kind::kSession : Viewer::Kind::kAddress;
}

bool HoldOffs::One::has(const Viewer& viewer) const {
  switch (viewer.kind()) {
    case Viewer::Kind::kDevice:
      return device == viewer.name();
    case Viewer::Kind::kAddress:
      return network == viewer.name();
    case Viewer::Kind::kSession:
      break;
  }
  return session == viewer.name();
}

bool HoldOffs::One::has_either(const Viewer& viewer) const {
  return session == viewer.session || (!viewer.device.empty() && device == viewer.device);
}

HoldOffs::One mark_of(const HoldOffRow& row, Instant since) {
  return {row.id,
          PackedText(row.session),
          PackedText(row.device),
          PackedText(network_of(row.address)),
          row.mark.value_or(Mark::kOld),
          since};
}

HoldOffRow row_of(const HoldOffs::One& one, std::string user) {
  HoldOffRow row{one.row,          std::move(user), one.session.str(),
                 one.device.str(), one.since,       one.network.str()};
  if (one.mark != Mark::kOld) row.mark = one.mark;
  return row;
}

}  // namespace concur
