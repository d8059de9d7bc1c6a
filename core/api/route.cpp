#include "api/route.hpp"

namespace concur {

namespace {

bool fits(const Pattern& pattern, const Target& target, Names& names) {
  const auto expected = pattern.segments();
  const Target::Segments& given = target.segments();
  if (expected.size() != given.size()) return false;
  names.clear();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].starts_with('{')) {
      names.push_back(given[i]);
    } else if (expected[i] != given[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Match match(std::span<const Route> routes, std::string_view method, const Target& target) {
  Match found;
  for (const Route& route : routes) {
    if (!fits(route.pattern, target, found.names)) continue;
    if (route.method == method) {
      found.route = &route;
      return found;
    }
    if (!found.allowed.empty()) found.allowed += ", ";
    found.allowed += route.method;
  }
  return found;
}

}  // namespace concur
