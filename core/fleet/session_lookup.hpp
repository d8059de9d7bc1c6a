#pragma once

#include <algorithm>
#include <string_view>

namespace concur {

// The one of that name among sessions, or those that are gone, as a UserState has them; null where
// there is none. A user has few.
template <class Entries>
auto* find_session(Entries& entries, std::string_view session) {
  const auto found = std::ranges::find_if(
      entries, [session](const auto& each) { return each.row.session == session; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace concur
