#include "base/log.hpp"

#include "base/clock.hpp"
#include "base/json_text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace concur {

namespace {

// syslog(3) priorities.
int priority(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return 3;
    case LogLevel::kWarning:
      return 4;
    case LogLevel::kInfo:
      return 6;
    case LogLevel::kDebug:
      return 7;
  }
  return 6;
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "info";
}

bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  return stream != nullptr && fstat(STDERR_FILENO, &info) == 0 &&
         text::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

std::string now_text() {
  return format_utc(std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()));
}

// A message never breaks its line: what a peer sent may be part of it.
void append_line_safe(std::string& out, std::string_view message) {
  for (const char c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      text::append(out, "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

}  // namespace

Logger::Logger(LogLevel level, LogFormat format)
    : level_(level),
      style_(style_of(format)),
      writer_(STDERR_FILENO, [style = style_](std::uint64_t dropped) {
        return line_of(style, LogLevel::kWarning,
                       text::format("{} lines of the log were dropped here: whoever reads it was "
                                    "too slow",
                                    dropped));
      }) {}

Logger::Style Logger::style_of(LogFormat format) {
  if (format == LogFormat::kJson) return Style::kJson;
  return stderr_is_journal() ? Style::kJournal : Style::kPlain;
}

std::string Logger::line_of(Style style, LogLevel level, std::string_view message) {
  std::string line;
  switch (style) {
    case Style::kPlain:
      line = text::format("{} {} ", now_text(), name_of(level));
      append_line_safe(line, message);
      break;
    case Style::kJournal:
      line = text::format("<{}>", priority(level));
      append_line_safe(line, message);
      break;
    case Style::kJson:
      line = text::format(R"({{"time":"{}","level":"{}","message":)", now_text(), name_of(level));
      append_json_string(line, message);
      line += '}';
      break;
  }
  line += '\n';
  return line;
}

void Logger::format(LogLevel level, fmt::string_view line, fmt::format_args args) {
  if (logs(level)) writer_.write(line_of(style_, level, text::vformat(line, args)));
}

}  // namespace concur
