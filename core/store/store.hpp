#pragma once

#include "base/progress.hpp"
#include "session/change.hpp"
#include "store/database_files.hpp"
#include "store/durability.hpp"
#include "store/rows.hpp"
#include "store/sqlite.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace concur {

// What load() met.
struct LoadReport {
  std::uint64_t rows = 0;
  std::uint64_t refused = 0;  // rows that hold nothing valid; they are left as they are
  std::string first_refusal;  // what was wrong with the first of them
  std::int64_t box = 0;       // who this box is in a fleet: a random number; 0: in none yet
  std::int64_t last_id = 0;   // the highest id of all sessions, refused, evicted and gone ones too
};

// Says whether it can use the row.
using TakeRow = std::function<bool(StoredRow)>;
// Is given the rows that come next, some dozens at once, refused ones among them. May be empty.
using ExpectRows = std::function<void(std::span<const StoredRow>)>;

// The database of sessions. May be handed from thread to thread, never used by two at a time.
class Store {
 public:
  // Opens, checks and migrates the database; creates it where it is absent. `boot` names this boot
  // of the machine. kCorrupt: damaged; kInvalid: foreign or newer; untouched in each case, its
  // write-ahead log too. kUnavailable: it cannot be opened or written. The message reads `cannot
  // open database <path>: <cause>`. `report`, if any, is called now and then, for it may take long.
  static Result<Store> open(const std::string& path, Durability durability, const std::string& boot,
                            const ReportWork* report = nullptr);

  // Gives every stored row to `take`: plans, limits, blocks, sessions in ascending order of ids,
  // hold-offs in the order they began, the gone in the order they went; times on the boot clock of
  // now: exactly, where the row was written in this boot, else by the wall clock.
  Result<LoadReport> load(const Now& now, const TakeRow& take, const ExpectRows& expect = {});

  struct Loaded;

  // As open() and then load(), and in less time: the pages are checked by another thread while rows
  // are taken in. Nothing is written before both came out well; where they did not, rows that are
  // not to be trusted may have been taken.
  static Result<Loaded> open_and_load(const std::string& path, Durability durability,
                                      const std::string& boot, const Now& now, const TakeRow& take,
                                      const ExpectRows& expect = {},
                                      const ReportWork* report = nullptr);

  // From here on each commit first sees to it that the files are those at their paths. Where they
  // were taken away, all that they hold, which the open ones still do, is written into a new
  // database there, and it goes on with that; where another file stands there, or it cannot be
  // written, the commit fails and changes nothing. The files were claimed before the store was
  // opened; `durability` and `boot` are those it was opened with.
  void keep_in_place(std::shared_ptr<DatabaseFiles> files, Durability durability, std::string boot);
  // Where the files were taken away and what they hold cannot be read any more, all must come from
  // elsewhere: to be given in parts, in the order of commit(), once unreadable() says so. The last
  // part puts the new database in place of the old, and it goes on with that.
  struct Part {
    bool first = false;
    bool last = false;
  };
  Result<void> write_anew(std::span<const Change> changes, Millis offset, Part part);
  // The commit that failed last did so for that reason alone.
  bool unreadable() const { return unreadable_; }

  // Null where keep_in_place() was not called.
  const std::shared_ptr<DatabaseFiles>& files() const { return files_; }
  // How often a new database was written.
  std::uint64_t rewrites() const { return rewrites_; }

  // To be called before it is closed for good: where the files are not in place, their paths are
  // left as they are.
  void before_close();

  // What an operator can do about the commit that failed last, for the log; empty where nothing is
  // known but the cause.
  const std::string& advice() const { return advice_; }

  // Makes the changes durable in one transaction, or none of them. `offset` is the wall clock's
  // lead over the boot clock. An empty batch still writes a page, to learn whether the disk takes
  // writes.
  Result<void> commit(std::span<const Change> changes, Millis offset);

  // Adds a bounded number of the parts of users' hours that were committed to what is stored of
  // those hours. True where there may be more to fold in. Reports need not wait for it.
  bool fold_usage();

  // Whether more such parts wait than should: then each commit is to be followed by the above.
  bool has_backlog() const { return parts_ > kMaxParts; }

  // Forgets a bounded part of the record that is older than that hour (since 1970). True where
  // there may be more of it.
  bool trim_history(std::int64_t oldest_hour);

  // Returns a bounded part of the space that deleted rows left to the file system, where it is
  // much. True where there is more to return.
  bool give_back_space();

 private:
  struct Statements {
    Statement begin;
    Statement commit;
    Statement rollback;
    Statement insert;
    Statement insert_many;
    Statement set_start;
    Statement save;
    Statement set_overlap;
    Statement describe;
    Statement remove;
    Statement put_hold_off;
    Statement drop_hold_off;
    Statement put_gone;
    Statement drop_gone;
    Statement put_limit;
    Statement drop_limit;
    Statement put_plan;
    Statement drop_plan;
    Statement put_number;
    Statement drop_numbers;
    Statement put_block;
    Statement drop_block;
    Statement add_part;
    Statement add_rule_denials;
    Statement put_box;
    Statement first_part;
    Statement fold;
    Statement drop_parts;
    Statement trim_history;
    Statement trim_rule_denials;
    Statement touch;
    Statement pages;
    Statement free_pages;
  };

  // Sessions that go into one statement: that spares a third of what a row costs by itself.
  static constexpr std::size_t kMany = 8;
  // Of users' hours, that wait to be added up: some tens of MiB in the file.
  static constexpr std::int64_t kMaxParts = 1'000'000;

  Store(Sqlite db, Statements statements, std::int64_t boot, std::int64_t parts)
      : db_(std::move(db)), statements_(std::move(statements)), boot_(boot), parts_(parts) {}

  static Result<Statements> prepare(Sqlite& db);
  bool files_hold(bool ask);
  bool has_all_without_log();
  Result<void> restore_files();
  Result<void> rewrite();
  Result<void> copy_to(const std::string& made);
  Result<void> put_in_place(const std::string& made);
  Result<void> begin_anew();
  static Result<Store> open_new(const std::string& path, const std::string& boot);
  static Result<Store> open_rewritten(const std::string& path, Durability durability,
                                      const std::string& boot);
  std::string advice_for(int code) const;
  Result<void> in_transaction(const std::function<Result<void>()>& work);
  Result<void> write(std::span<const Change> changes, Millis offset);
  Result<void> write_many(std::span<const Change> inserts, Millis offset);
  int bind(Statement& to, int first, const Row& row, Millis offset) const;
  Result<void> write(const Insert& insert, Millis offset);
  Result<void> write(const Save& save, Millis offset);
  Result<void> write(const Describe& describe, Millis offset);
  Result<void> write(const SetOverlap& set, Millis offset);
  Result<void> write(const Remove& remove, Millis offset);
  Result<void> write(const PutHoldOff& put, Millis offset);
  Result<void> write(const DropHoldOff& drop, Millis offset);
  Result<void> write(const PutGone& put, Millis offset);
  Result<void> write(const DropGone& drop, Millis offset);
  Result<void> write(const PutLimit& put, Millis offset);
  Result<void> write(const PutPlan& put, Millis offset);
  Result<void> write_numbers(std::string_view of, std::string_view name,
                             const RuleNumbers& numbers);
  Result<void> write(const DropPlan& drop, Millis offset);
  Result<void> write(const PutBlock& put, Millis offset);
  Result<void> write(const DropBlock& drop, Millis offset);
  Result<void> write(const AddUsage& add, Millis offset);
  Result<void> write(const PutBox& put, Millis offset);
  static Result<Store> make_ready(Sqlite db, Durability durability, const std::string& boot);
  static Result<Store> make_ready(Sqlite db, const std::string& boot);

  std::shared_ptr<DatabaseFiles> files_;  // before db_, so that they outlive it
  Durability durability_ = Durability::kFull;
  std::string boot_name_;
  bool away_ = false;  // the files were not in place when they were last looked at
  std::uint64_t rewrites_ = 0;
  bool unreadable_ = false;
  std::unique_ptr<Store> anew_;                         // while write_anew() goes on
  std::chrono::steady_clock::time_point rewrite_at_{};  // not before, after one that failed
  Error rewrite_failure_;                               // that one
  std::string advice_;
  int failed_with_ = 0;  // SQLite's code for the transaction that failed last

  Sqlite db_;
  Statements statements_;  // behind db_, so that they are finalized before it closes
  std::int64_t boot_;      // this boot's row in `boots`
  std::int64_t parts_;     // rows of history_parts, or a few more
};

struct Store::Loaded {
  Store store;
  LoadReport report;
};

}  // namespace concur
