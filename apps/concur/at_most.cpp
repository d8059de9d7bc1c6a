#include "at_most.hpp"

#include <algorithm>

namespace concur::cli {

bool AtMost::take(const std::string& user, Instant now) {
  if (taken_.size() >= forget_at_) forget_all(now);
  Times& times = taken_[user];
  forget(times, now);
  if (times.size() >= rarely_.most) return false;
  times.push_back(now);
  return true;
}

void AtMost::forget(Times& times, Instant now) const {
  while (!times.empty() && now - times.front() >= rarely_.within) times.pop_front();
}

void AtMost::forget_all(Instant now) {
  for (auto entry = taken_.begin(); entry != taken_.end();) {
    forget(entry->second, now);
    entry = entry->second.empty() ? taken_.erase(entry) : std::next(entry);
  }
  forget_at_ = std::max<std::size_t>(1024, taken_.size() * 2);
}

}  // namespace concur::cli
