#include "base/progress.hpp"

#include "base/human.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace concur {

namespace {

constexpr std::size_t kMaxBar = 30;
constexpr std::size_t kMinBar = 8;

std::string amount_of(std::uint64_t amount, std::string_view unit) {
  return unit.empty() ? human_bytes(amount) : text::format("{}", amount);
}

std::string done_text(const WorkState& work) {
  std::string text = amount_of(work.done, work.unit);
  if (work.total > 0) text += text::format(" of {}", amount_of(work.total, work.unit));
  if (!work.unit.empty()) text += text::format(" {}", work.unit);
  return text;
}

std::string bar_text(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
  return text::format("[{}{}]", std::string(full, '#'), std::string(width - full, ' '));
}

// The parts behind the name and the share, what matters most first.
std::vector<std::string> parts_of(const WorkState& work, Millis elapsed) {
  std::vector<std::string> parts{done_text(work)};
  const double seconds = static_cast<double>(elapsed.count()) / 1000;
  if (work.done == 0 && work.total == 0) return {human_duration(elapsed)};
  if (work.done == 0 || seconds <= 0) return parts;
  const double rate = static_cast<double>(work.done) / seconds;
  parts.push_back(text::format("{}/s", amount_of(static_cast<std::uint64_t>(rate), work.unit)));
  if (work.total > work.done) {
    const double left = static_cast<double>(work.total - work.done) / rate;
    constexpr double kMost = 100 * 86400;  // beyond that nobody knows
    if (left < kMost) {
      parts.push_back(human_duration(Millis(static_cast<Millis::rep>(left * 1000))) + " left");
    }
  }
  return parts;
}

}  // namespace

std::string progress_text(const WorkState& state, Millis elapsed,
                          std::optional<std::size_t> columns) {
  WorkState work = state;
  if (work.total > 0) work.done = std::min(work.done, work.total);
  const double share =
      work.total == 0 ? 0 : static_cast<double>(work.done) / static_cast<double>(work.total);
  std::string head = text::format("{}:", work.what);
  const int percent = static_cast<int>(share * 100);
  if (work.total > 0) {
    head += columns ? text::format(" {:3} %", percent) : text::format(" {} %", percent);
  }
  std::vector<std::string> parts = parts_of(work, elapsed);
  const auto tail = [&parts] { return text::join(parts, ", "); };
  const auto whole = [&](std::string_view bar) {
    const std::string_view between = parts.empty() ? "" : work.total > 0 && !columns ? ", " : " ";
    return text::format("{}{}{}{}", head, bar, between, tail());
  };
  if (!columns) return whole("");
  const std::size_t room = *columns;
  const auto size = whole("").size();
  constexpr std::size_t kAround = 3;  // a space and the brackets
  if (work.total > 0 && size + kAround + kMinBar <= room) {
    return whole(" " + bar_text(share, std::min(kMaxBar, room - size - kAround)));
  }
  // The time left stays longest: the rate goes, then the amount.
  if (parts.size() > 2 && whole("").size() > room) parts.erase(parts.begin() + 1);
  if (parts.size() > 1 && whole("").size() > room) parts.erase(parts.begin());
  if (whole("").size() > room) parts.clear();
  return whole("").substr(0, room);
}

Progress::Progress(std::unique_ptr<ProgressDisplay> display, ReadClock clock)
    : display_(std::move(display)), clock_(std::move(clock)) {}

Millis Progress::boot_time() {
  return std::chrono::duration_cast<Millis>(SystemClock().since_boot());
}

void Progress::report(const WorkState& work) {
  if (!display_) return;
  if (work.what.empty()) return end();
  const Millis now = clock_();
  if (!begun_) due_ = now + display_->first();
  if (!begun_ || work.what != part_) part_began_ = now;
  begun_ = true;
  part_ = work.what;
  if (now < due_) return;
  due_ = now + display_->every();
  shown_ = true;
  display_->show(work, now - part_began_);
}

void Progress::end() {
  if (shown_) display_->clear();
  shown_ = false;
  begun_ = false;
}

}  // namespace concur
