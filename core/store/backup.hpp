#pragma once

#include "base/fd.hpp"
#include "base/progress.hpp"
#include "base/result.hpp"
#include "store/sqlite.hpp"

#include <string>

namespace concur {

// Copies a database as it is at one moment, beside whoever writes to it, on a connection of its
// own. Not for two threads at a time.
class DatabaseCopy {
 public:
  static Result<DatabaseCopy> open(const std::string& path);

  // Takes as long as the database is large, and as much room beside it. The copy has no name: it
  // is gone with its descriptor. `report`, if any, is called now and then.
  Result<Fd> make(const ReportWork& report = {});

  // From any thread: ends a make() that is under way, with an error.
  void interrupt() { sqlite3_interrupt(db_.handle()); }

 private:
  DatabaseCopy(Sqlite db, std::string to) : db_(std::move(db)), to_(std::move(to)) {}

  Sqlite db_;
  std::string to_;
};

}  // namespace concur
