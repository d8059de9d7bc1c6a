#pragma once

#include "rules/attribute.hpp"
#include "session/viewer.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// What a view calls one of the user's active sessions: a slot, an index.
using SessionRef = std::uint32_t;

// The part of a start that the rules look at.
struct Applicant {
  std::string_view session;
  std::string_view device{};                   // empty for none
  std::optional<std::string_view> replaces{};  // the session that is to make room
  std::string_view address{};                  // empty for none
  std::string_view content{};                  // empty for none
  std::string_view meta{};                     // a JSON object's text; empty for none
  bool replaces_all = false;                   // all others are to make room

  bool replaces_any() const { return replaces || replaces_all; }
  Attributes attributes() const { return {device, address, content, meta}; }
};

// The part of a session that the rules look at.
struct Described {
  std::string session;
  std::string device{};
  std::string address{};
};

// One user's state at the moment of the start, without what has expired by then. A rule that needs
// to know more of a session or a user adds a question here; what no rule that holds asks for costs
// nothing.
template <class T>
concept UserView = requires(const T& user, const Applicant& start, const Viewer& viewer,
                            SessionRef session) {
  { user.active() } -> std::convertible_to<std::uint32_t>;
  // Active ones, if there are such. Of several on the start's device, while it is fought over,
  // the first from the start's network, else the first.
  { user.on_device(start) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.named(start.session) } -> std::convertible_to<std::optional<SessionRef>>;
  // In the order of their starts.
  { user.oldest() } -> std::convertible_to<std::optional<SessionRef>>;
  { user.after(session) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.newest() } -> std::convertible_to<std::optional<SessionRef>>;
  { user.before(session) } -> std::convertible_to<std::optional<SessionRef>>;
  { user.described(session) } -> std::convertible_to<Described>;
  // Views that live as long as the user's state stays as it is.
  { user.attributes(session) } -> std::convertible_to<Attributes>;
  // See hold_off_left(), protection_left() and hands_of().
  { user.hold_off(viewer) } -> std::convertible_to<Millis>;
  { user.protection(viewer) } -> std::convertible_to<Millis>;
  { user.hands(viewer) } -> std::convertible_to<Hands>;
  // Whether the start's name, or its address, was replaced or evicted by that viewer itself
  // within hold-off.
  { user.comes_back(start, viewer) } -> std::convertible_to<bool>;
  // The one that is let in above the limit for a while, if there is any.
  { user.overlapping() } -> std::convertible_to<std::optional<SessionRef>>;
  // Whether such a one was refused so lately that none is let in so.
  { user.pauses_overlaps() } -> std::convertible_to<bool>;
};

}  // namespace concur
