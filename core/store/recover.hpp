#pragma once

#include "base/progress.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace concur {

struct RecoveredTable {
  std::string name;
  std::uint64_t rows = 0;     // in the new database
  std::uint64_t invalid = 0;  // left out: they hold what a daemon would refuse, or are there twice
  std::uint64_t unreadable = 0;  // left out: on pages of which other rows could be read
};

struct RecoverReport {
  std::vector<RecoveredTable> tables;
  std::uint64_t pages = 0;             // that the file has, with its write-ahead log put in
  std::uint64_t unreadable_pages = 0;  // whatever they held
  std::uint64_t missing_pages = 0;     // behind the end of a file that was cut off
  std::uint64_t damaged_frames = 0;    // pages as the write-ahead log had them
  std::uint64_t foreign_rows = 0;      // of no table that this version knows
  std::string first_invalid;  // what was wrong with the first such row; empty where none is

  bool has_rows() const;
  bool lost_nothing() const;
};

// Salvages what can be read of a database into a new one at `into`, which appears whole or not at
// all: rows are checked as at load, and a row without its neighbours is better than none. The
// database and its write-ahead log are only read; the work is done on a copy, in a folder beside
// the database that takes the room of both and goes with the work. Nobody may write to the database
// meanwhile.
//
// Messages read `cannot recover <database>: <cause>`. kAbsent: it is not there. kInvalid: `into`
// is. kCorrupt: nothing can be read. kUnavailable: the system does not let it. `report_work` is
// called now and then.
Result<RecoverReport> recover(const std::string& database, const std::string& into,
                              const ReportWork& report_work);

}  // namespace concur
