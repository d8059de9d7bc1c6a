#pragma once

#include "base/result.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace concur {

// Owners of SQLite's handles. An Error's message is SQLite's own cause, without a `cannot …`: the
// caller knows what for.

class Statement {
 public:
  Statement() = default;  // none: only to be assigned to

  // Binds in the order of the question marks, from 1. Text must live until the next reset.
  void bind(int at, std::int64_t value);
  void bind(int at, std::string_view text);
  void bind_blob(int at, std::string_view bytes);  // NULL for none
  void bind_null(int at);

  // True where there is a row to read, false at the end.
  Result<bool> step();
  // Runs a statement that gives no rows, and makes it ready for the next binding.
  Result<void> run();
  void reset();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string text(int column) const;  // empty for NULL

 private:
  friend class Sqlite;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Error error() const;

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection. May be handed from thread to thread, never used by two at a time.
class Sqlite {
 public:
  // Opens the file for reading and writing, creating it where it is absent.
  static Result<Sqlite> open(const std::string& path);
  // The same, but an absent file is an error.
  static Result<Sqlite> open_existing(const std::string& path);
  // The same, and nothing can be written.
  static Result<Sqlite> open_reading(const std::string& path);

  Result<Statement> prepare(std::string_view sql);
  Result<void> exec(const std::string& sql);
  // The first column of the first row.
  Result<std::int64_t> number(std::string_view sql);
  Result<std::string> string(std::string_view sql);

  // Whether the file let itself be opened for reading alone, though it was to be written, too.
  bool is_read_only() const;

  // Whether the last close leaves the write-ahead log beside the database as it is, and the
  // database untouched, in place of putting it in.
  void keep_log(bool keep);

  // Calls `go_on` now and then while statements run, until it is called with null; the statement
  // fails where it says no. It must live as long, and stay where it is.
  void on_progress(const std::function<bool()>* go_on);

  // How many pages were read from the file since it was opened, some of them more than once.
  std::uint64_t pages_read() const;
  // How many it has; 0 where that cannot be known.
  std::uint64_t pages();

  sqlite3* handle() { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Sqlite(sqlite3* db) : db_(db) {}
  static Result<Sqlite> open_with(const std::string& path, int flags);
  Error error() const;

  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace concur
