#include "sqlite/sessions.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace concur::bench {
namespace {

// One tree alone: the primary key is the table, and what is counted for a user lies side by side.
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS sessions (user TEXT, session TEXT, expires INTEGER,"
    " PRIMARY KEY (user, session)) WITHOUT ROWID";

// ?1 user, ?2 session, ?3 now, ?4 lease
constexpr const char* kExpire = "DELETE FROM sessions WHERE user = ?1 AND expires <= ?3";
constexpr const char* kCount =
    "SELECT count(*), coalesce(max(session = ?2), 0) FROM sessions WHERE user = ?1";
constexpr const char* kPut =
    "INSERT INTO sessions VALUES (?1, ?2, ?3 + ?4)"
    " ON CONFLICT DO UPDATE SET expires = excluded.expires";
constexpr const char* kRenew =
    "UPDATE sessions SET expires = ?3 + ?4 WHERE user = ?1 AND session = ?2 AND expires > ?3";
constexpr const char* kEnd = "DELETE FROM sessions WHERE user = ?1 AND session = ?2";

[[noreturn]] void fail(const char* verb, sqlite3* db) {
  throw std::runtime_error(fmt::format("cannot {} the database: {}", verb, ::sqlite3_errmsg(db)));
}

void execute(sqlite3* db, const std::string& sql) {
  if (::sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail("set up", db);
  }
}

void bind(sqlite3_stmt* statement, int at, std::string_view text) {
  ::sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Sessions::Sessions(const std::string& path, bool full_durability, const SessionTerms& terms)
    : terms_(terms),
      db_(open(path, full_durability ? "FULL" : "NORMAL")),
      relaxed_(open(path, "NORMAL")),
      begin_(prepare(db_, "BEGIN IMMEDIATE")),
      expire_(prepare(db_, kExpire)),
      count_(prepare(db_, kCount)),
      put_(prepare(db_, kPut)),
      commit_(prepare(db_, "COMMIT")),
      rollback_(prepare(db_, "ROLLBACK")),
      renew_(prepare(relaxed_, kRenew)),
      end_(prepare(db_, kEnd)) {}

Sessions::Database Sessions::open(const std::string& path, const char* synchronous) {
  sqlite3* opened = nullptr;
  const int result = ::sqlite3_open(path.c_str(), &opened);
  Database db(opened);
  if (result != SQLITE_OK) {
    fail("open", opened);
  }
  execute(opened, fmt::format("PRAGMA journal_mode = WAL; PRAGMA synchronous = {};"
                              "PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824; {}",
                              synchronous, kSchema));
  return db;
}

Sessions::Statement Sessions::prepare(const Database& db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (::sqlite3_prepare_v3(db.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    fail("prepare a statement for", db.get());
  }
  return Statement(statement);
}

// Runs it to its end, or to its first row; the caller resets the one that has rows.
void Sessions::step(const Statement& statement, std::string_view user, std::string_view session) {
  sqlite3_stmt* raw = statement.get();
  const int parameters = ::sqlite3_bind_parameter_count(raw);
  if (parameters >= 2) {
    bind(raw, 1, user);
    bind(raw, 2, session);
  }
  if (parameters >= 3) {
    ::sqlite3_bind_int64(raw, 3, now_ms());
  }
  if (parameters >= 4) {
    ::sqlite3_bind_int64(raw, 4, terms_.lease.count());
  }
  const int result = ::sqlite3_step(raw);
  if (result == SQLITE_DONE) {
    ::sqlite3_reset(raw);
  } else if (result != SQLITE_ROW) {
    ::sqlite3_reset(raw);
    fail("change", ::sqlite3_db_handle(raw));
  }
}

int Sessions::count(std::string_view user, std::string_view session, bool& known) {
  step(count_, user, session);
  const int count = ::sqlite3_column_int(count_.get(), 0);
  known = ::sqlite3_column_int(count_.get(), 1) != 0;
  ::sqlite3_reset(count_.get());
  return count;
}

int Sessions::start(std::string_view user, std::string_view session) {
  step(begin_, {}, {});
  step(expire_, user, session);
  bool known = false;
  const int active = count(user, session, known);
  if (!known && active >= static_cast<int>(terms_.limit)) {
    step(::sqlite3_changes(db_.get()) > 0 ? commit_ : rollback_, {}, {});
    return -active;
  }
  step(put_, user, session);
  step(commit_, {}, {});
  return known ? active : active + 1;
}

bool Sessions::heartbeat(std::string_view user, std::string_view session) {
  step(renew_, user, session);
  return ::sqlite3_changes(relaxed_.get()) > 0;
}

bool Sessions::end(std::string_view user, std::string_view session) {
  step(end_, user, session);
  return ::sqlite3_changes(db_.get()) > 0;
}

}  // namespace concur::bench
