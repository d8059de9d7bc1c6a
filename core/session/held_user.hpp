#pragma once

#include "rules/address.hpp"
#include "session/admission.hpp"
#include "session/command.hpp"
#include "session/state.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace concur {

inline const Details& details_of(const State& state, Slot slot) {
  static const Details kNothing;
  const Details* known = state.table.details(slot);
  return known == nullptr ? kNothing : *known;
}

inline std::optional<SessionRef> ref_of(Slot slot) {
  return slot == kNoSlot ? std::nullopt : std::optional(slot);
}

// A user of the registry, for the rules.
class HeldUser {
 public:
  HeldUser(State& state, Slot user, Millis hold_off, Instant now)
      : state_(state), user_(user), hold_off_(hold_off), now_(now) {}

  std::uint32_t active() const { return user_ == kNoSlot ? 0 : state_.user(user_).active; }
  std::optional<SessionRef> on_device(const Applicant& start) const {
    if (user_ == kNoSlot) return std::nullopt;
    const Slot found = state_.table.find_device(user_, start.device);
    if (found == kNoSlot || !state_.user(user_).shares_device) return ref_of(found);
    return ref_of(nearest_on_device(start));
  }
  std::optional<SessionRef> named(std::string_view session) const {
    if (user_ == kNoSlot) return std::nullopt;
    const Slot found = state_.table.find_session(user_, session);
    return state_.is_active(found) ? ref_of(found) : std::nullopt;
  }
  std::optional<SessionRef> oldest() const { return ref_of(state_.user(user_).head); }
  std::optional<SessionRef> after(SessionRef session) const {
    return ref_of(state_.session(session).next);
  }
  std::optional<SessionRef> newest() const { return ref_of(state_.user(user_).tail); }
  std::optional<SessionRef> before(SessionRef session) const {
    return ref_of(state_.session(session).prev);
  }
  Described described(SessionRef session) const {
    const Details& details = details_of(state_, session);
    return {state_.session(session).name.str(), details.device, details.ip};
  }
  Attributes attributes(SessionRef session) const {
    const Details& details = details_of(state_, session);
    return {details.device, details.ip, details.content, details.meta};
  }
  Millis hold_off(const Viewer& viewer) const {
    return hold_off_left(marks(), viewer, hold_off_, now_);
  }
  Millis protection(const Viewer& viewer) const {
    return protection_left(marks(), viewer, hold_off_, now_);
  }
  Hands hands(const Viewer& viewer) const { return hands_of(marks(), viewer, hold_off_, now_); }
  bool comes_back(const Applicant& start, const Viewer& viewer) const {
    const bool by_device = viewer.kind() == Viewer::Kind::kDevice;
    return state_.replaced.has(state_.user(user_).name.str(), viewer, start.session,
                               by_device ? start.address : std::string_view(), hold_off_, now_);
  }
  std::optional<SessionRef> overlapping() const {
    if (user_ == kNoSlot || state_.overlaps.empty()) return std::nullopt;
    for (Slot slot = state_.user(user_).head; slot != kNoSlot; slot = state_.session(slot).next) {
      if (state_.overlaps.find(slot) != nullptr) return slot;
    }
    return std::nullopt;
  }
  bool pauses_overlaps() const { return state_.overlaps.refused_until(user_, now_).has_value(); }

 private:
  std::span<const HoldOffs::One> marks() const { return state_.hold_offs.of(user_); }
  Slot nearest_on_device(const Applicant& start) const {
    Slot first = kNoSlot;
    for (Slot slot = state_.user(user_).head; slot != kNoSlot; slot = state_.session(slot).next) {
      const Details& details = details_of(state_, slot);
      if (details.device != start.device) continue;
      if (same_network(details.ip, start.address)) return slot;
      if (first == kNoSlot) first = slot;
    }
    return first;
  }

  State& state_;
  Slot user_;
  Millis hold_off_;
  Instant now_;
};

inline Applicant applicant_of(const Start& start) {
  Applicant applicant{start.session.text(), start.details.device,  {},
                      start.details.ip,     start.details.content, start.details.meta};
  if (start.replace) applicant.replaces = start.replace->text();
  applicant.replaces_all = start.replace_all;
  return applicant;
}

}  // namespace concur
