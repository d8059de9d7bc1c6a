#pragma once

#include "base/clock.hpp"

#include <string>
#include <utility>

namespace concur::engine {

// Whether a primary is asked at all. One that has not answered for a while is not, so that nobody
// waits for it, until a trial shows that it takes changes again.
class Breaker {
 public:
  static constexpr Millis kPause{100};  // between two trials

  bool is_open() const { return open_; }
  const std::string& cause() const { return cause_; }  // for which it opened last

  void open(std::string cause) {
    open_ = true;
    cause_ = std::move(cause);
  }

  // Whether a trial is to be made now; one at a time.
  bool is_trying() const { return trying_; }
  bool wants_trial(Instant now) const { return open_ && !trying_ && now >= next_trial_; }
  void begin_trial() { trying_ = true; }
  void end_trial(bool succeeded, Instant now) {
    trying_ = false;
    next_trial_ = now + kPause;
    if (succeeded) open_ = false;
  }

 private:
  bool open_ = false;
  bool trying_ = false;
  Instant next_trial_{};
  std::string cause_;
};

}  // namespace concur::engine
