// The model's part about who is who, who is held off and who is protected.
#include "model.hpp"
#include "model_parts.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

std::uint32_t Model::changes_of(const User& user, const std::string& viewer, const Now& now) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(user.hold_offs, [&](const HoldOff& each) {
    const bool change = each.mark == Mark::kChangedHands || each.mark == Mark::kFoughtOver;
    return change && concur::simulation::viewer_of(each) == viewer &&
           each.since + policy.hold_off > now.instant;
  }));
}

// "device tv", "address 192.0.2.1" or "session s1".
std::string Model::viewer_of(const User& user, const std::string& session, const Details& details,
                             const Now& now) const {
  const std::string device = "device " + details.device;
  const bool fought_over = changes_of(user, device, now) >= 3;
  if (!details.device.empty() && !fought_over) return device;
  return details.ip.empty() ? "session " + session : "address " + details.ip;
}

// A viewer is held off by whatever of the evicted one it is known by, and protected by the same.
Millis Model::left_of(const User& user, Mark mark, const std::string& viewer,
                      const Now& now) const {
  Millis left{0};
  for (const HoldOff& each : user.hold_offs) {
    const bool is_it = concur::simulation::viewer_of(each) == viewer;
    const bool has_it = viewer == "device " + each.device || viewer == "address " + each.address ||
                        viewer == "session " + each.session;
    if (each.mark != mark || !(mark == Mark::kHeldOff ? has_it : is_it)) continue;
    left = std::max<Millis>(left, each.since + policy.hold_off - now.instant);
  }
  return left;
}

bool Model::comes_back(const User& user, const std::string& viewer, const std::string& session,
                       const std::string& address, const Now& now) const {
  for (const std::string& what : {"session " + session, "address " + address}) {
    const auto found = user.replaced.find(viewer + " " + what);
    if (found != user.replaced.end() && found->second + policy.hold_off > now.instant) return true;
  }
  return false;
}

void Model::mark(User& user, Mark mark, const Details& details, const std::string& session,
                 const Now& now) const {
  const bool fought_over = changes_of(user, "device " + details.device, now) >= 3;
  const bool hands = mark == Mark::kChangedHands || mark == Mark::kFoughtOver;
  user.hold_offs.push_back({mark, session, fought_over && !hands ? "" : details.device, details.ip,
                            now.instant, now.wall(), false});
  if (std::ranges::count(user.hold_offs, mark, &HoldOff::mark) > static_cast<long>(kMaxHeldOff)) {
    user.hold_offs.erase(std::ranges::find(user.hold_offs, mark, &HoldOff::mark));
  }
}

void Model::evict(User& user, const std::string& session, const Start& by, const Now& now) {
  remove(user, session,
         {EndReason::kEvicted, {std::string(by.session.text()), by.details.device}, now.instant},
         now);
}

}  // namespace concur::simulation
