#pragma once

#include <cstdint>

namespace concur {

// Counts seconds since the server's start; time limits need no finer clock.
using Tick = std::uint32_t;

// What is waited for now, and until when. Whoever begins to wait says both; `What` is an enum whose
// first value says that nothing is waited for.
template <class What>
class Deadline {
 public:
  explicit Deadline(const Tick& now) : now_(now) {}

  // Waits from now on. What is waited for already has the time that it had.
  void await(What what, Tick patience) {
    if (what_ == what) return;
    what_ = what;
    due_ = now_ + patience;
  }
  void clear() { what_ = What{}; }

  // What did not come in time; none where there is still time, or nothing is waited for.
  What missed() const { return now_ < due_ ? What{} : what_; }

 private:
  const Tick& now_;
  What what_{};
  Tick due_ = 0;
};

}  // namespace concur
