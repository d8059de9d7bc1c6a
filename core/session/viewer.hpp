#pragma once

#include "base/clock.hpp"
#include "rules/address.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

// Who is who, and who may evict whom: the states of viewers and devices, decided from values alone.
//
// A viewer is known by its device, else by its address (the network of an IPv6 one), else by its
// session. So where device or address is known, fresh names change nothing. A device that is
// fought over identifies nobody.
//
//   what happens                                    for as long as hold-off is, thereafter
//   ----------------------------------------------  --------------------------------------------
//   V's start evicts W's session, for the limit's   W is held off: it evicts nobody but itself.
//   sake or as the one to be replaced               V is protected: for the limit's sake nobody
//                                                   but itself evicts it.
//   V's start evicts V's own session                nothing: it zaps
//   a start replaces its device's session, under    the device changed hands once. After
//   a name or from an address that was itself       kMaxChanges it is fought over: no reconnect,
//   replaced there; not where both gave the same    and its sessions count as any others, until
//   address: that zaps                              fewer lie within hold-off.
//   a viewer known by its address evicts its own    a change of hands, which only shows in the
//   session, under a name that it evicted itself    record, once they are too many for zapping
//
// Each ends by itself, hold-off after what began it; a start that is refused prolongs nothing.
// Nothing is remembered of anybody to whom none of this happened.
namespace concur {

struct Viewer {
  enum class Kind : std::uint8_t { kDevice, kAddress, kSession };

  std::string session{};
  std::string device{};   // empty: not known, or fought over
  std::string network{};  // of its address; empty: not known

  Kind kind() const {
    if (!device.empty()) return Kind::kDevice;
    return network.empty() ? Kind::kSession : Kind::kAddress;
  }
  // What it is known by.
  const std::string& name() const {
    if (!device.empty()) return device;
    return network.empty() ? session : network;
  }
  bool operator==(const Viewer& other) const {
    return kind() == other.kind() && name() == other.name();
  }
};

// Empty where the address, or the device, is not known.
inline Viewer viewer_of(std::string_view session, std::string_view device,
                        std::string_view address) {
  return {std::string(session), std::string(device), network_of(address)};
}

// False where either is not known.
inline bool same_network(std::string_view a, std::string_view b) {
  return !a.empty() && !b.empty() && network_of(a) == network_of(b);
}

// What is remembered of a viewer for as long as hold-off is. Numbered as they are stored, but for
// the last, which an older daemon's rows become: it held off the session and the device.
enum class Mark : std::uint8_t {
  kHeldOff = 1,
  kProtected = 2,
  kChangedHands = 3,
  kFoughtOver = 4,  // changed hands once too often, or within hold-off of such a change
  kOld,
};

// Of `marks`, a range of the user's, each has a mark and the moment `since`. It says by is()
// whether it is that viewer's; by has() whether its viewer has the device, the address or the
// session that the other is known by; and by has_either() whether it has the other's device or
// session.

inline constexpr std::uint32_t kMaxChanges = 3;

// A viewer known by its address evicted its own session: a heartbeat of that as late as this,
// within hold-off, was not on its way already. Another plays there.
inline constexpr Millis kPlaysOn = std::chrono::seconds(5);

// For how long a start may evict nobody but its viewer's own sessions; 0 where it may. Who leaves
// out the device, or the address, is known by what is left.
template <class Marks>
Millis hold_off_left(const Marks& marks, const Viewer& viewer, Millis hold_off, Instant now) {
  Millis left{0};
  for (const auto& each : marks) {
    const bool concerned = (each.mark == Mark::kHeldOff && each.has(viewer)) ||
                           (each.mark == Mark::kOld && each.has_either(viewer));
    if (concerned) left = std::max<Millis>(left, each.since + hold_off - now);
  }
  return left;
}

// For how long a viewer's sessions are evicted by nobody else for the limit's sake.
template <class Marks>
Millis protection_left(const Marks& marks, const Viewer& viewer, Millis hold_off, Instant now) {
  Millis left{0};
  for (const auto& each : marks) {
    if (each.mark != Mark::kProtected || !each.is(viewer)) continue;
    left = std::max<Millis>(left, each.since + hold_off - now);
  }
  return left;
}

// How often a device, or the place of a viewer known by its address, changed hands of late.
struct Hands {
  std::uint32_t changes = 0;
  bool were_fought_over = false;  // by one of these a fight began, or went on

  bool are_fought_over() const { return changes >= kMaxChanges; }
  // What one change more is.
  bool begins_fight() const { return changes + 1 >= kMaxChanges && !were_fought_over; }
  Mark next() const {
    return begins_fight() || were_fought_over ? Mark::kFoughtOver : Mark::kChangedHands;
  }
};

template <class Marks>
Hands hands_of(const Marks& marks, const Viewer& viewer, Millis hold_off, Instant now) {
  Hands hands;
  for (const auto& each : marks) {
    const bool fought_over = each.mark == Mark::kFoughtOver;
    if (!fought_over && each.mark != Mark::kChangedHands) continue;
    if (each.since + hold_off <= now || !each.is(viewer)) continue;
    ++hands.changes;
    hands.were_fought_over = hands.were_fought_over || fought_over;
  }
  return hands;
}

}  // namespace concur
