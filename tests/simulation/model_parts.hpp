#pragma once

#include "model.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What the parts of the model share.
namespace concur::simulation {

template <class Sessions>
auto find_session(Sessions& sessions, std::string_view name) {
  return std::ranges::find(sessions, name, &Model::Session::name);
}

// Whom it is about, as viewers are named.
inline std::string viewer_of(const Model::HoldOff& of) {
  if (!of.device.empty()) return "device " + of.device;
  return of.address.empty() ? "session " + of.session : "address " + of.address;
}

inline std::uint32_t count_of(const std::vector<Model::Session>& sessions) {
  return static_cast<std::uint32_t>(sessions.size());
}

}  // namespace concur::simulation
