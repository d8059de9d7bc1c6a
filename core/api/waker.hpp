#pragma once

#include <functional>
#include <utility>

namespace concur {

// Wakes whoever reads a source that had nothing more: at most once for each time that it was left
// waiting.
class Waker {
 public:
  void set(std::function<void()> wake) { wake_ = std::move(wake); }

  // The reader waits until it is woken; or reads, and need not be.
  void leave_waiting() { waiting_ = true; }
  void reading() { waiting_ = false; }

  void wake() {
    if (std::exchange(waiting_, false) && wake_) wake_();
  }

 private:
  std::function<void()> wake_;
  bool waiting_ = false;
};

}  // namespace concur
