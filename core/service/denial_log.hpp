#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "session/event.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace concur {

// Logs denials at info: of each user the first at once, and then at most a line a minute that says
// how many there were. Of so many users at a time that neither lines nor memory get out of hand;
// denials of further ones are logged as a number. Costs nothing where info is not logged.
class DenialLog {
 public:
  static constexpr std::size_t kMaxUsers = 1000;

  // The log must outlive it.
  explicit DenialLog(Logger& log) : log_(log) {}

  // Takes a kDenied event.
  void add(const Event& event, Instant now);

  // Logs what was held back for a minute; to be called about once a second.
  void tick(Instant now);

  // Logs all that is held back, for there will be no further tick.
  void flush();

 private:
  // The last denial of a user that is not logged yet, and how many there are of them.
  struct Held {
    Instant logged;
    std::uint64_t count = 0;
    std::string session{};
    std::uint32_t active = 0;
    std::uint32_t limit = 0;
    bool would_deny = false;
  };
  using Users = std::unordered_map<std::string, Held>;

  void log(std::string_view user, const Held& held);
  void log_others();

  Logger& log_;
  Users users_;
  std::deque<const Users::value_type*> by_age_;  // each of them, by when it was logged last
  std::uint64_t others_ = 0;
  Instant others_since_;
};

}  // namespace concur
