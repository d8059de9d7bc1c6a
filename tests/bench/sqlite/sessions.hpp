#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace concur::bench {

struct SessionTerms {
  std::uint32_t limit;
  std::chrono::milliseconds lease;
};

/// Limits streams the plain way: the sessions are rows, and each request counts and changes them in
/// one transaction of its own.
class Sessions {
 public:
  /// Throws std::runtime_error if the database cannot be opened.
  Sessions(const std::string& path, bool full_durability, const SessionTerms& terms);

  /// The count of active sessions of the user, negative if the start was refused.
  int start(std::string_view user, std::string_view session);

  /// Whether there was such a session. Throws std::runtime_error, as all do, if SQLite fails.
  bool heartbeat(std::string_view user, std::string_view session);
  bool end(std::string_view user, std::string_view session);

 private:
  struct Closer {
    void operator()(sqlite3* db) const { ::sqlite3_close(db); }
    void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
  };
  using Database = std::unique_ptr<sqlite3, Closer>;
  using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

  static Database open(const std::string& path, const char* synchronous);
  static Statement prepare(const Database& db, const char* sql);
  void step(const Statement& statement, std::string_view user, std::string_view session);
  int count(std::string_view user, std::string_view session, bool& known);

  SessionTerms terms_;
  Database db_;
  // Heartbeats need no sync of their own, as the daemon's do not.
  Database relaxed_;
  Statement begin_;
  Statement expire_;
  Statement count_;
  Statement put_;
  Statement commit_;
  Statement rollback_;
  Statement renew_;
  Statement end_;
};

}  // namespace concur::bench
