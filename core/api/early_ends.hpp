#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace concur {

// Ends of sessions that had not started. A media server tells of start and end on connections of
// their own, and the end of a stream that was watched for a moment may come first: its start, when
// it comes, is that of nobody any more.
class EarlyEnds {
 public:
  static constexpr Millis kRemembered = std::chrono::seconds(10);
  static constexpr std::size_t kMost = 65'536;  // of which the latest stay

  // Names without control characters.
  void add(std::string_view user, std::string_view session, Instant now) {
    forget(now);
    if (queue_.size() == kMost) forget_oldest();
    std::string name = name_of_both(user, session);
    until_[name] = now + kRemembered;
    queue_.emplace_back(now + kRemembered, std::move(name));
  }

  bool has(std::string_view user, std::string_view session, Instant now) {
    forget(now);
    return !until_.empty() && until_.contains(name_of_both(user, session));
  }

 private:
  static std::string name_of_both(std::string_view user, std::string_view session) {
    return std::string(user).append(1, '\0').append(session);
  }

  void forget(Instant now) {
    while (!queue_.empty() && queue_.front().first <= now) forget_oldest();
  }
  void forget_oldest() {
    const auto& [until, name] = queue_.front();
    const auto found = until_.find(name);
    if (found != until_.end() && found->second == until) until_.erase(found);
    queue_.pop_front();
  }

  std::unordered_map<std::string, Instant> until_;
  std::deque<std::pair<Instant, std::string>> queue_;  // what ends first is in front
};

}  // namespace concur
