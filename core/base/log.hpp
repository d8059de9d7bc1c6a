#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace concur {

enum class LogLevel { kError, kWarning, kInfo, kDebug };
enum class LogFormat { kText, kJson };

using Logger = spdlog::logger;

// A logger to standard error. Text lines carry the time and the level; where standard error is the systemd journal
// (JOURNAL_STREAM, systemd.exec(5)), which stamps lines itself, a priority prefix <N> (sd-daemon(3)) stands in their place.
// JSON lines carry time, level and message. Safe to use from any thread.
std::shared_ptr<Logger> make_logger(LogLevel level, LogFormat format);

void set_level(Logger& log, LogLevel level);

}  // namespace concur
