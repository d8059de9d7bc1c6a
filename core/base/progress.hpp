#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// How far work is that takes long.
struct WorkState {
  std::string_view what{};  // as in "checking the database"; of static storage, as is the next
  std::string_view unit{};  // what is counted, as in "rows"; empty: bytes
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0: nobody knows
};

// Called now and then by whoever does the work; without a name: it is over.
using ReportWork = std::function<void(const WorkState&)>;

// The same for people, after `elapsed`: `checking the database: 45 %, 460 of 1024 pages, 92/s, 6s
// left`. Where it is for a terminal, no wider than that, and with a bar where there is room; what
// matters least is left out first.
std::string progress_text(const WorkState& work, Millis elapsed,
                          std::optional<std::size_t> columns = {});

// Where progress is shown, and how often.
class ProgressDisplay {
 public:
  virtual ~ProgressDisplay() = default;
  virtual Millis first() const = 0;  // not before the work has taken that long
  virtual Millis every() const = 0;
  virtual void show(const WorkState& work, Millis elapsed) = 0;
  // The work is over, or something else is to be shown.
  virtual void clear() = 0;
};

// Shows how far work is, once it has taken long. For one thread.
class Progress {
 public:
  using ReadClock = std::function<Millis()>;  // never goes back

  // It is shown nowhere where `display` is null.
  explicit Progress(std::unique_ptr<ProgressDisplay> display, ReadClock clock = boot_time);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { end(); }

  // Cheap, but for where it is shown. What follows under another name is another part of the same
  // work: its rate is its own.
  void report(const WorkState& work);

  // Nothing of it stays on a terminal; what is reported after it is new work.
  void end();

  bool has_display() const { return display_ != nullptr; }
  bool is_shown() const { return shown_; }

 private:
  static Millis boot_time();

  std::unique_ptr<ProgressDisplay> display_;
  ReadClock clock_;
  std::string_view part_;
  bool begun_ = false;
  Millis part_began_{};
  Millis due_{};
  bool shown_ = false;
};

}  // namespace concur
