#pragma once

#include "base/progress.hpp"
#include "session/change.hpp"
#include "session/report.hpp"
#include "store/sqlite.hpp"

#include <cstdint>
#include <memory>
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

  // Of the hours from `first` (since 1970, inclusive) on. Takes as long as the record is large;
  // `report_work`, if any, is called now and then.
  Result<Report> read(const ReportQuery& query, std::int64_t first,
                      const ReportWork& report_work = {});

  // From any thread: ends a read() that is under way, with an error.
  void interrupt() { sqlite3_interrupt(db_.handle()); }

 private:
  // The ways through all hours that read() goes, one after the other.
  struct Passes;
  struct DeletePasses {
    void operator()(Passes* passes) const;
  };
  using OwnPasses = std::unique_ptr<Passes, DeletePasses>;

  static Result<ReportReader> make_ready(Sqlite db);
  ReportReader(OwnPasses passes, Sqlite db) : passes_(std::move(passes)), db_(std::move(db)) {}
  Result<void> read_users(const ReportQuery& query, std::int64_t first, Report& into);
  Result<void> read_hours(const std::string& user, std::int64_t first, Report& into);
  Result<void> read_rules(const ReportQuery& query, std::int64_t first, Report& into);
  Result<void> read_histogram(const ReportQuery& query, std::int64_t first, Report& into);

  OwnPasses passes_;  // db_ knows where it is
  Sqlite db_;
};

}  // namespace concur
