#pragma once

#include "base/line_writer.hpp"
#include "base/text.hpp"

#include <atomic>
#include <string>
#include <string_view>

namespace concur {

enum class LogLevel { kError, kWarning, kInfo, kDebug };
enum class LogFormat { kText, kJson };

// Logs to standard error, a line a message, and never waits for whoever reads it (LineWriter). Text
// lines carry the time and the level; where standard error is the systemd journal (JOURNAL_STREAM,
// systemd.exec(5)), which stamps lines itself, a priority prefix <N> (sd-daemon(3)) stands in their
// place. JSON lines carry time, level and message. Safe to use from any thread.
class Logger {
 public:
  Logger(LogLevel level, LogFormat format);

  // Returns once what was logged is written, or after a second.
  void flush() { writer_.flush(); }

  void set_level(LogLevel level) { level_ = level; }
  bool logs(LogLevel level) const { return level <= level_; }

  template <class... Args>
  void error(fmt::format_string<Args...> line, Args&&... args) {
    format(LogLevel::kError, line, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> line, Args&&... args) {
    format(LogLevel::kWarning, line, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> line, Args&&... args) {
    format(LogLevel::kInfo, line, fmt::make_format_args(args...));
  }
  template <class... Args>
  void debug(fmt::format_string<Args...> line, Args&&... args) {
    format(LogLevel::kDebug, line, fmt::make_format_args(args...));
  }

 private:
  enum class Style { kPlain, kJournal, kJson };

  static Style style_of(LogFormat format);
  static std::string line_of(Style style, LogLevel level, std::string_view message);
  void format(LogLevel level, fmt::string_view line, fmt::format_args args);

  std::atomic<LogLevel> level_;
  Style style_;
  LineWriter writer_;
};

}  // namespace concur
