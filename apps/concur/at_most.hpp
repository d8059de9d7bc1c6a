#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

namespace concur::cli {

// So many things a user within so long, and no more.
struct Rarely {
  std::uint32_t most = 1;
  Millis within{};
};

// Judges by that. Its memory holds those who had one within the time, and a few more.
class AtMost {
 public:
  explicit AtMost(Rarely rarely) : rarely_(rarely) {}

  // Whether the user may have one more now, which then counts.
  bool take(const std::string& user, Instant now);

  std::size_t users() const { return taken_.size(); }

 private:
  using Times = std::deque<Instant>;  // in their order

  void forget(Times& times, Instant now) const;
  void forget_all(Instant now);

  Rarely rarely_;
  std::unordered_map<std::string, Times> taken_;
  std::size_t forget_at_ = 1024;  // users
};

}  // namespace concur::cli
