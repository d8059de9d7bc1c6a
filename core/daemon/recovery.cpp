#include "daemon/recovery.hpp"

#include "base/log_progress.hpp"
#include "base/text.hpp"
#include "daemon/endpoint.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/owner.hpp"
#include "store/recover.hpp"

#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

namespace concur {

namespace {

std::string table_of(const RecoverReport& report) {
  std::string text =
      text::format("{:<12}{:>10}{:>10}{:>12}\n", "table", "rows", "invalid", "unreadable");
  for (const RecoveredTable& table : report.tables) {
    text += text::format("{:<12}{:>10}{:>10}{:>12}\n", table.name, table.rows, table.invalid,
                         table.unreadable);
  }
  return text;
}

std::string losses_of(const RecoverReport& report) {
  std::string text = report.lost_nothing() ? "Nothing was lost.\n" : "";
  const auto lost = [&text](std::uint64_t count, std::string_view what) {
    if (count > 0) text += text::format("Lost: {} {}\n", count, what);
  };
  lost(report.unreadable_pages,
       text::format("of {} pages cannot be read, and the rows that were on them", report.pages));
  lost(report.missing_pages, "pages are missing at the end of the file, and the rows on them");
  lost(report.damaged_frames,
       "pages of the write-ahead log cannot be read: what changed on them last");
  if (!report.first_invalid.empty()) {
    text += text::format("The first invalid row is of {}\n", report.first_invalid);
  }
  if (report.foreign_rows > 0) {
    text += text::format("Left out: {} rows of tables that this version does not know\n",
                         report.foreign_rows);
  }
  return text;
}

std::string advice(const std::string& database, const std::string& recovered) {
  return text::format(
      "To go on with it, while no daemon runs (systemctl stop concurrencyd.socket "
      "concurrencyd.service):\n"
      "  mv {0} {0}.damaged\n"
      "  mv {0}-wal {0}.damaged-wal    # if there is one; it must not stay\n"
      "  rm -f {0}-shm\n"
      "  mv {1} {0}\n",
      database, recovered);
}

ExitCode exit_code_of(ErrorKind kind) {
  return kind == ErrorKind::kInvalid ? ExitCode::kUsage : ExitCode::kDatabase;
}

}  // namespace

void recover_database(const Effective& effective, Logger& log) {
  const std::string& database = effective.settings.database;
  become_owner(database);
  umask(0077);
  std::signal(SIGXFSZ, SIG_IGN);
  struct stat info {};
  std::optional<DatabaseLock> lock;
  // What is not there is not locked, for that would leave a file.
  if (stat(database.c_str(), &info) == 0) lock = lock_database(database);
  const std::string recovered = database + ".recovered";
  Progress progress(daemon_progress(log));
  const auto report =
      recover(database, recovered, [&progress](const WorkState& work) { progress.report(work); });
  progress.end();
  if (!report) throw StartupError(exit_code_of(report.error().kind), report.error().message);
  if (!text::print(stdout, "{} has what can be read of {}:\n{}{}{}", recovered, database,
                   table_of(*report), losses_of(*report), advice(database, recovered)) ||
      std::fflush(stdout) != 0) {
    throw StartupError(ExitCode::kInternal, "cannot print what was recovered");
  }
}

}  // namespace concur
