#pragma once

#include "base/log.hpp"
#include "base/progress.hpp"

#include <memory>

namespace concur {

// Where a daemon shows how far it is: on the terminal, where standard error is one, else in the
// log, a line every ten seconds. The log must outlive it.
std::unique_ptr<ProgressDisplay> daemon_progress(Logger& log);

// A line in the log every ten seconds.
class LogProgress final : public ProgressDisplay {
 public:
  static constexpr Millis kEvery = std::chrono::seconds(10);

  explicit LogProgress(Logger& log) : log_(log) {}
  Millis first() const override { return kEvery; }
  Millis every() const override { return kEvery; }
  void show(const WorkState& work, Millis elapsed) override {
    log_.info("{}", progress_text(work, elapsed));
  }
  void clear() override {}

 private:
  Logger& log_;
};

}  // namespace concur
