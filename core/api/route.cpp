#include "api/route.hpp"

namespace concur {

namespace {

bool fits(std::string_view pattern, const Target& target, Names& names) {
  names.clear();
  for (const std::string_view segment : target.segments()) {
    if (pattern.empty()) return false;
    pattern.remove_prefix(1);
    const std::string_view expected = pattern.substr(0, pattern.find('/'));
    if (expected.starts_with('{')) {
      names.push_back(segment);
    } else if (expected != segment) {
      return false;
    }
    pattern.remove_prefix(expected.size());
  }
  return pattern.empty();
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
