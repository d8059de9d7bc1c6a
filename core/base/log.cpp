#include "base/log.hpp"

#include "base/clock.hpp"
#include "base/json_text.hpp"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace concur {

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

// syslog(3) priorities.
int priority(spdlog::level::level_enum level) {
  if (level >= spdlog::level::critical) return 2;
  if (level >= spdlog::level::err) return 3;
  if (level >= spdlog::level::warn) return 4;
  return level >= spdlog::level::info ? 6 : 7;
}

std::string_view level_name(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return "error";
  if (level >= spdlog::level::warn) return "warning";
  return level >= spdlog::level::info ? "info" : "debug";
}

bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  return stream != nullptr && fstat(STDERR_FILENO, &info) == 0 &&
         text::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

// A message never breaks its line: what a peer sent may be part of it.
void append_line_safe(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += text::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

enum class LineStyle { kPlain, kJournal, kJson };

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LineStyle style) : style_(style) {}

  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& dest) override {
    const std::string_view text(msg.payload.data(), msg.payload.size());
    const auto at = std::chrono::time_point_cast<Millis>(msg.time);
    std::string line;
    switch (style_) {
      case LineStyle::kPlain:
        line = text::format("{} {} ", format_utc(at), level_name(msg.level));
        append_line_safe(line, text);
        break;
      case LineStyle::kJournal:
        line = text::format("<{}>", priority(msg.level));
        append_line_safe(line, text);
        break;
      case LineStyle::kJson:
        line = text::format(R"({{"time":"{}","level":"{}","message":)", format_utc(at),
                            level_name(msg.level));
        append_json_string(line, text);
        line += '}';
        break;
    }
    line += '\n';
    dest.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(style_);
  }

 private:
  LineStyle style_;
};

}  // namespace

Logger::Logger(LogLevel level, LogFormat format) {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(spdlog::color_mode::never);
  log_ = std::make_unique<spdlog::logger>("concurrencyd", std::move(sink));
  LineStyle style = stderr_is_journal() ? LineStyle::kJournal : LineStyle::kPlain;
  if (format == LogFormat::kJson) style = LineStyle::kJson;
  log_->set_formatter(std::make_unique<LineFormatter>(style));
  log_->flush_on(spdlog::level::trace);
  set_level(level);
}

Logger::~Logger() = default;

void Logger::set_level(LogLevel level) { log_->set_level(spdlog_level(level)); }

bool Logger::logs(LogLevel level) const { return log_->should_log(spdlog_level(level)); }

void Logger::format(LogLevel level, fmt::string_view line, fmt::format_args args) {
  if (logs(level)) log_->log(spdlog_level(level), text::vformat(line, args));
}

}  // namespace concur
