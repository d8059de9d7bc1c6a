#include "session/usage.hpp"

#include <algorithm>
#include <cassert>

namespace concur {

void Usage::merge(const Usage& other) {
  assert(hour == other.hour);
  starts += other.starts;
  denials += other.denials;
  evictions += other.evictions;
  peak = std::max(peak, other.peak);
  attempted = std::max(attempted, other.attempted);
  excess = std::max(excess, other.excess);
  conflicts += other.conflicts;
  devices.merge(other.devices);
  addresses.merge(other.addresses);
  by_rule.add(other.by_rule);
}

}  // namespace concur
