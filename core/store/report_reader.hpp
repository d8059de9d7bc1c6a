#pragma once

#include "session/change.hpp"
#include "session/report.hpp"
#include "store/sqlite.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace concur {

// Reads the record of who shares beside the commits, on a connection of its own. Not for two
// threads at a time.
class ReportReader {
 public:
  static Result<ReportReader> open(const std::string& path);
  // Of a record that comes from elsewhere, each user's hour once.
  static Result<ReportReader> of(const std::vector<AddUsage>& record);

  // Of the hours from `first` (since 1970, inclusive) on. Takes as long as the record is large.
  Result<Report> read(const ReportQuery& query, std::int64_t first);

  // From any thread: ends a read() that is under way, with an error.
  void interrupt() { sqlite3_interrupt(db_.handle()); }

 private:
  static Result<ReportReader> make_ready(Sqlite db);
  explicit ReportReader(Sqlite db) : db_(std::move(db)) {}
  Result<void> read_users(const ReportQuery& query, std::int64_t first, Report& into);
  Result<void> read_hours(const std::string& user, std::int64_t first, Report& into);
  Result<void> read_rules(const ReportQuery& query, std::int64_t first, Report& into);
  Result<void> read_histogram(const ReportQuery& query, std::int64_t first, Report& into);

  Sqlite db_;
};

}  // namespace concur
