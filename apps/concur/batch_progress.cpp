#include "batch_progress.hpp"

#include "base/terminal_progress.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace concur::cli {

namespace {

constexpr Millis kIdle{500};
constexpr off_t kMaxCounted = off_t{256} << 20;  // bytes, so that counting holds nothing up

Millis now() {
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch());
}

std::unique_ptr<ProgressDisplay> display() {
  return ::isatty(STDOUT_FILENO) != 0 ? nullptr : terminal_progress();
}

std::optional<off_t> place_in_file() {
  struct stat info {};
  if (::fstat(STDIN_FILENO, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const off_t at = ::lseek(STDIN_FILENO, 0, SEEK_CUR);
  if (at < 0 || info.st_size - at > kMaxCounted) return std::nullopt;
  return at;
}

// Those that are not blank. What is read stays to be read.
std::uint64_t count_lines(off_t from) {
  std::vector<char> block(std::size_t{256} * 1024);
  std::uint64_t lines = 0;
  bool blank = true;
  for (;;) {
    const ssize_t got = ::pread(STDIN_FILENO, block.data(), block.size(), from);
    if (got <= 0) return lines + (blank ? 0 : 1);
    from += got;
    for (const char c : std::string_view(block.data(), static_cast<std::size_t>(got))) {
      if (c == '\n') {
        lines += std::exchange(blank, true) ? 0 : 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        blank = false;
      }
    }
  }
}

}  // namespace

BatchProgress::BatchProgress() : progress_(display()), begin_(place_in_file()) {}

void BatchProgress::note(bool busy, std::uint64_t answered) {
  if (!progress_.has_display()) return;
  const bool was_idle = idle_since_ && now() - *idle_since_ > kIdle;
  if (was_idle) progress_.end();
  if (!busy) {
    if (!idle_since_) idle_since_ = now();
    return;
  }
  idle_since_.reset();
  if (progress_.is_shown() && begin_) total_ = count_lines(*std::exchange(begin_, std::nullopt));
  progress_.report({.what = "batch", .unit = "lines", .done = answered, .total = total_});
}

int BatchProgress::wait(int most) const {
  const int idle = static_cast<int>(kIdle.count());
  if (!progress_.is_shown()) return most;
  return most < 0 ? idle : std::min(most, idle);
}

}  // namespace concur::cli
