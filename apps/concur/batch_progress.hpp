#pragma once

#include "base/progress.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace concur::cli {

// How many of the lines have their answers, on a terminal that the answers themselves do not go to:
// while there is always something to do, not between the lines of a program that asks now and then.
class BatchProgress {
 public:
  // Before anything is read of standard input.
  BatchProgress();

  // After each turn; `busy`: lines wait for their answers.
  void note(bool busy, std::uint64_t answered);

  // How long poll may wait where it might wait so long (-1: without an end), in milliseconds.
  int wait(int most) const;

  void end() { progress_.end(); }

 private:
  Progress progress_;
  std::optional<off_t> begin_;  // of what is read; none where it is no file
  std::uint64_t total_ = 0;     // lines; 0: not counted, or they cannot be
  std::optional<Millis> idle_since_;
};

}  // namespace concur::cli
