#include "store/sqlite.hpp"

#include <algorithm>
#include <cstring>

namespace concur {

namespace {

// For the whole process, before SQLite is first used. Counting what it allocates costs a lock each
// time, and nobody asks for the count. What would undo a statement that fails stays in memory: no
// commit is to need another file.
[[maybe_unused]] const int kUncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
[[maybe_unused]] const int kUnspilt = sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);

Error error_of(sqlite3* db) {
  const int code = sqlite3_errcode(db);
  std::string cause = sqlite3_errmsg(db);
  // The system's own code distinguishes a full disk from a failing one, and a missing folder from a
  // forbidden one.
  const int system = sqlite3_system_errno(db);
  if (system != 0 && (code == SQLITE_CANTOPEN || code == SQLITE_IOERR)) {
    cause += std::string(" (") + std::strerror(system) + ")";
  }
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorKind::kCorrupt, cause};
    default:
      return {ErrorKind::kUnavailable, cause};
  }
}

}  // namespace

void Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), at, value);
}

void Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_blob(int at, std::string_view bytes) {
  if (bytes.empty()) return bind_null(at);
  sqlite3_bind_blob64(statement_.get(), at, bytes.data(), bytes.size(), SQLITE_STATIC);
}

void Statement::bind_null(int at) { sqlite3_bind_null(statement_.get(), at); }

Result<bool> Statement::step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return error();
  }
}

Result<void> Statement::run() {
  const Result<bool> stepped = step();
  reset();
  if (!stepped) return stepped.error();
  return {};
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {bytes, static_cast<std::size_t>(size)};
}

Error Statement::error() const { return error_of(sqlite3_db_handle(statement_.get())); }

Result<Sqlite> Sqlite::open(const std::string& path) {
  return open_with(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

Result<Sqlite> Sqlite::open_existing(const std::string& path) {
  return open_with(path, SQLITE_OPEN_READWRITE);
}

Result<Sqlite> Sqlite::open_reading(const std::string& path) {
  return open_with(path, SQLITE_OPEN_READONLY);
}

Result<Sqlite> Sqlite::open_with(const std::string& path, int flags) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Sqlite opened(db);
  if (code != SQLITE_OK) return opened.error();
  // The file is hostile until checked: nothing that is written in it may run.
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_busy_timeout(db, 2000);
  return opened;
}

Result<Statement> Sqlite::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return error();
  return Statement(statement);
}

Result<void> Sqlite::exec(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

Result<std::int64_t> Sqlite::number(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  return statement->integer(0);
}

Result<std::string> Sqlite::string(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  return statement->text(0);
}

bool Sqlite::is_read_only() const { return sqlite3_db_readonly(db_.get(), "main") == 1; }

void Sqlite::keep_log(bool keep) {
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

void Sqlite::on_progress(const std::function<bool()>* go_on) {
  constexpr int kInstructions = 10'000;  // some of a millisecond's work
  if (go_on == nullptr) return sqlite3_progress_handler(db_.get(), 0, nullptr, nullptr);
  sqlite3_progress_handler(
      db_.get(), kInstructions,
      [](void* context) { return (*static_cast<const std::function<bool()>*>(context))() ? 0 : 1; },
      const_cast<std::function<bool()>*>(go_on));
}

std::uint64_t Sqlite::pages_read() const {
  int missed = 0;
  int highest = 0;
  if (sqlite3_db_status(db_.get(), SQLITE_DBSTATUS_CACHE_MISS, &missed, &highest, 0) != SQLITE_OK) {
    return 0;
  }
  return static_cast<std::uint64_t>(std::max(missed, 0));
}

std::uint64_t Sqlite::pages() {
  const auto count = number("PRAGMA page_count");
  return count ? static_cast<std::uint64_t>(std::max<std::int64_t>(*count, 0)) : 0;
}

Error Sqlite::error() const {
  if (!db_) return {ErrorKind::kUnavailable, "out of memory"};
  return error_of(db_.get());
}

}  // namespace concur
