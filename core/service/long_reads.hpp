#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "service/work_board.hpp"
#include "service/worker.hpp"
#include "session/change.hpp"
#include "session/report.hpp"
#include "store/database_files.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace concur {

// Reads of the database at `path` that take long, beside its commits, on a connection of their own.
// kUnavailable where they cannot be done; the message reads `cannot <verb> <path>: <cause>`. `work`
// is told how far they are.

// An error where the files at the paths are not those in use, for then another one would be read;
// `files` may be null.
Result<void> check_in_place(const DatabaseFiles* files, const std::string& path);

// What is recorded from that hour (since 1970) on.
Result<Report> read_report(const std::string& path, const ReportQuery& query,
                           std::int64_t first_hour, LongWork& work, Interruption& interruption);

// The same of a record that comes from elsewhere.
Result<Report> read_report(const std::vector<AddUsage>& record, const ReportQuery& query,
                           std::int64_t first_hour, LongWork& work, Interruption& interruption);

// The same of `files` as check_in_place() has it.
Result<Fd> copy_database(const DatabaseFiles* files, const std::string& path, LongWork& work,
                         Interruption& interruption);

}  // namespace concur
