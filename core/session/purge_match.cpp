#include "session/purge_match.hpp"

#include "rules/attribute.hpp"

#include <algorithm>
#include <string_view>

namespace concur {

namespace {

bool is_or_any(std::string_view meant, std::string_view has) {
  return meant.empty() || meant == has;
}

bool has_meta(const Purge& purge, const Details& details) {
  if (purge.meta.empty()) return true;
  const Attributes attributes({}, {}, {}, details.meta);
  return std::ranges::all_of(purge.meta, [&attributes](const auto& each) {
    return attributes.value_of({Attribute::Kind::kMeta, each.first}) == each.second;
  });
}

}  // namespace

bool is_meant(const Purge& purge, Instant started, Instant last_seen, const Details* details,
              Instant now) {
  if (last_seen + purge.idle > now || started + purge.older_than > now) return false;
  static const Details kNothing;
  const Details& known = details == nullptr ? kNothing : *details;
  return is_or_any(purge.ip, known.ip) && is_or_any(purge.device, known.device) &&
         is_or_any(purge.content, known.content) && has_meta(purge, known);
}

}  // namespace concur
