#pragma once

#include "base/text.hpp"

#include <memory>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace concur {

enum class LogLevel { kError, kWarning, kInfo, kDebug };
enum class LogFormat { kText, kJson };

// Logs to standard error, a line a message, by spdlog. Text lines carry the time and the level;
// where standard error is the systemd journal (JOURNAL_STREAM, systemd.exec(5)), which stamps lines
// itself, a priority prefix <N> (sd-daemon(3)) stands in their place. JSON lines carry time, level
// and message. Safe to use from any thread.
class Logger {
 public:
  Logger(LogLevel level, LogFormat format);
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;
  ~Logger();

  void set_level(LogLevel level);
  bool logs(LogLevel level) const;

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
  void format(LogLevel level, fmt::string_view line, fmt::format_args args);

  std::unique_ptr<spdlog::logger> log_;
};

}  // namespace concur
