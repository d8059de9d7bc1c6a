#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace concur {

struct LogReport {
  std::uint64_t frames = 0;   // pages that were put in
  std::uint64_t damaged = 0;  // frames between them that could not be
};

// Puts what the write-ahead log at `log` holds of finished transactions into the database file at
// `into`. Unlike SQLite, which stops at the first damaged frame, it goes on behind it: each frame
// is proved by the one before, so that those behind are as good as ever
// (https://www.sqlite.org/fileformat2.html#walformat). A log that is absent or holds nothing is
// none. kUnavailable, with the cause alone, where a file cannot be read or written.
Result<LogReport> put_log_in(const std::string& log, const std::string& into);

}  // namespace concur
