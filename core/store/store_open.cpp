// How a store is opened, checked and read; how it writes is in store.cpp.
#include "base/text.hpp"
#include "store/lock_holders.hpp"
#include "store/page_check.hpp"
#include "store/record_sql.hpp"
#include "store/schema.hpp"
#include "store/store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace concur {

namespace {

constexpr std::int64_t kNoBoot = 0;  // the row of none

// kNoBoot where it has no row yet.
Result<std::int64_t> find_boot(Sqlite& db, const std::string& boot) {
  auto find = db.prepare("SELECT id FROM boots WHERE boot_id = ? AND boot_id <> ''");
  if (!find) return find.error();
  find->bind(1, boot);
  const auto found = find->step();
  if (!found) return found.error();
  return *found ? find->integer(0) : kNoBoot;
}

Result<std::int64_t> find_or_add_boot(Sqlite& db, const std::string& boot) {
  const auto found = find_boot(db, boot);
  if (!found || *found != kNoBoot) return found;
  auto add = db.prepare("INSERT INTO boots(boot_id) VALUES (?) RETURNING id");
  if (!add) return add.error();
  add->bind(1, boot);
  const auto added = add->step();
  if (!added) return added.error();
  const std::int64_t id = add->integer(0);
  if (const auto done = add->step(); !done) return done.error();
  return id;
}

// Nullopt where there is none.
std::optional<off_t> size_of(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return std::nullopt;
  return info.st_size;
}

// Of the write-ahead log, that are put into the database at once: a commit waits for it now and
// then, and few pages make it wait often and briefly, for the same work in all.
constexpr int kLogPages = 256;

Result<void> set_up(Sqlite& db, Durability durability) {
  const auto mode = db.string("PRAGMA journal_mode = WAL");
  if (!mode) return mode.error();
  if (*mode != "wal") {
    return Error{ErrorKind::kUnavailable, "its file system does not allow write-ahead logging"};
  }
  return db.exec(
      text::format("PRAGMA synchronous = {};"
                   "PRAGMA journal_size_limit = {};"
                   "PRAGMA wal_autocheckpoint = {};"
                   "PRAGMA cell_size_check = ON;",
                   durability == Durability::kFull ? "FULL" : "NORMAL", 64 << 20, kLogPages));
}

// After kill -9 the log may hold commits that were never synced. A repeated start would be answered
// from them, so they must be on the disk first: a checkpoint syncs the log before it copies from
// it. A later sync of the same file would not do, for after a failed one the kernel may drop the
// pages; the copy is what counts then. Where there is no room for the copy, at least the sync was
// done.
Result<void> sync_wal(Sqlite& db) {
  const auto done = db.exec("PRAGMA main.wal_checkpoint(PASSIVE)");
  if (!done && sqlite3_errcode(db.handle()) != SQLITE_FULL) return done.error();
  return {};
}

// Rows that are read before the first of them is given away: so many that whoever takes them finds
// enough to do at once, so few that they are still in the cache.
constexpr std::size_t kRowsAtOnce = 64;

std::int64_t id_of(const StoredRow& row) {
  if (const auto* session = std::get_if<Row>(&row)) return session->id;
  if (const auto* hold_off = std::get_if<HoldOffRow>(&row)) return hold_off->id;
  if (const auto* gone = std::get_if<GoneRow>(&row)) return gone->id;
  return 0;
}

// How far the opening of a database is, for whoever waits for it.
class Opening {
 public:
  // Both must outlive it.
  Opening(Sqlite& db, const ReportWork* report) : db_(db), report_(report) {}
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
  ~Opening() {
    if (report_ != nullptr) (*report_)({});
  }

  WorkState& work() { return work_; }

  // `db` may be moved away, and is not asked any more.
  void take_leave() { work_ = kBegin; }

  void report() {
    if (report_ == nullptr) return;
    if (work_.what == kCheckingPages) work_ = checking_pages(db_.pages_read(), work_.total);
    (*report_)(work_);
  }

 private:
  static constexpr WorkState kBegin{.what = "opening the database", .unit = "pages"};

  Sqlite& db_;
  const ReportWork* report_;
  WorkState work_ = kBegin;
};

// Gives away the rows of one table after the other.
class Loading {
 public:
  // `work`, if any, says how far it is.
  Loading(const Now& now, std::int64_t boot, const TakeRow& take, const ExpectRows& expect,
          WorkState* work)
      : now_(now), boot_(boot), take_(take), expect_(expect), work_(work) {}

  Result<LoadReport> run(Sqlite& db) {
    for (const RowSource& source : row_sources()) {
      auto rows = db.prepare(source.sql);
      if (!rows) return rows.error();
      for (bool more = true; more;) {
        const auto read = read_some(source, *rows);
        if (!read) return read.error();
        more = *read;
        give_away(source.name);
        note_work(db);
      }
    }
    const auto box = db.number("SELECT coalesce(max(identity), 0) FROM box");
    if (!box) return box.error();
    report_.box = *box;
    return report_;
  }

 private:
  // To count the rows takes a part of the time to read them: not before that has become long.
  void note_work(Sqlite& db) {
    if (work_ == nullptr) return;
    constexpr auto kLong = std::chrono::seconds(1);
    const bool is_counted = work_->total > 0 || std::chrono::steady_clock::now() - began_ < kLong;
    const std::uint64_t total = is_counted ? work_->total : count_rows(db);
    *work_ = {.what = "loading the sessions",
              .unit = "rows",
              .done = report_.rows + report_.refused,
              .total = total};
  }

  static std::uint64_t count_rows(Sqlite& db) {
    std::uint64_t all = 0;
    for (const RowSource& source : row_sources()) {
      const auto count = db.number(text::format("SELECT count(*) FROM {}", source.name));
      if (count) all += static_cast<std::uint64_t>(std::max<std::int64_t>(*count, 0));
    }
    return all;
  }

  // False at the end of the table.
  Result<bool> read_some(const RowSource& source, Statement& from) {
    rows_.clear();
    refusals_.clear();
    while (rows_.size() < kRowsAtOnce) {
      const auto more = from.step();
      if (!more || !*more) return more;
      ReadRow read = source.read(from, now_, boot_);
      rows_.push_back(std::move(read.row));
      refusals_.push_back(std::move(read.refusal));
    }
    return true;
  }

  void give_away(const char* table) {
    if (expect_) expect_(rows_);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::int64_t id = id_of(rows_[i]);
      if (id <= kLastRow) report_.last_id = std::max(report_.last_id, id);
      std::string& refusal = refusals_[i];
      if (refusal.empty() && !take_(std::move(rows_[i]))) {
        refusal = "cannot accept row: it is there twice, or there are too many";
      }
      if (refusal.empty()) {
        ++report_.rows;
      } else if (report_.refused++ == 0) {
        report_.first_refusal = text::format("{}, row {}: {}", table, id, refusal);
      }
    }
  }

  const Now& now_;
  std::int64_t boot_;
  const TakeRow& take_;
  const ExpectRows& expect_;
  WorkState* work_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  LoadReport report_;
  std::vector<StoredRow> rows_;
  std::vector<std::string> refusals_;  // of the row at the same place; empty for none
};

constexpr std::string_view kReadOnly = "it may only be read";

bool is_about_rights(const Error& error) {
  for (const std::string_view words :
       {kReadOnly, std::string_view("readonly database"), std::string_view("Permission denied")}) {
    if (error.message.find(words) != std::string::npos) return true;
  }
  return false;
}

Error cannot_open(const std::string& path, const Error& error) {
  std::string hint;
  if (error.kind == ErrorKind::kCorrupt) {
    hint = " (concurrencyd --recover salvages what can be read)";
  } else if (error.message.find("locked") != std::string::npos) {
    hint = text::format(" ({})", lock_advice(path));
  } else if (is_about_rights(error)) {
    hint =
        " (make the daemon's user the owner of it, and of -wal and -shm beside it, with mode 0600)";
  }
  return {error.kind, text::format("cannot open database {}: {}{}", path, error.message, hint)};
}

// Unchecked. Its write-ahead log stays as it is until keep_log(false).
Result<Sqlite> open_file(const std::string& path) {
  const bool has_log = size_of(path + "-wal").value_or(0) > 0;
  if (has_log && size_of(path).value_or(0) == 0) {
    // SQLite would throw the log away, and with it what was committed last.
    return Error{ErrorKind::kCorrupt, text::format("it is {}, and its write-ahead log is not",
                                                   size_of(path) ? "empty" : "absent")};
  }
  auto db = Sqlite::open(path);
  if (db) db->keep_log(has_log);
  // SQLite takes what it may only read, and the first start would be the first to fail.
  if (db && db->is_read_only()) return Error{ErrorKind::kUnavailable, std::string(kReadOnly)};
  return db;
}

}  // namespace

Result<Store> Store::open(const std::string& path, Durability durability, const std::string& boot,
                          const ReportWork* report) {
  auto db = open_file(path);
  if (!db) return cannot_open(path, db.error());
  Opening opening(*db, report);
  const std::function<bool()> go_on = [&opening] {
    opening.report();
    return true;
  };
  db->on_progress(&go_on);
  if (const auto done = migrate(*db, &opening.work()); !done) {
    return cannot_open(path, done.error());
  }
  opening.take_leave();
  auto store = make_ready(std::move(*db), durability, boot);
  if (!store) return cannot_open(path, store.error());
  store->db_.on_progress(nullptr);
  return store;
}

// It was made from one that is in use: nothing in it need be checked.
Result<Store> Store::open_rewritten(const std::string& path, Durability durability,
                                    const std::string& boot) {
  auto db = Sqlite::open_existing(path);
  if (!db) return db.error();
  return make_ready(std::move(*db), durability, boot);
}

// It need not survive anything before it is whole and in its place.
Result<Store> Store::open_new(const std::string& path, const std::string& boot) {
  auto db = Sqlite::open(path);
  if (!db) return db.error();
  if (const auto made = migrate(*db); !made) return made.error();
  if (const auto set = db->exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF"); !set) {
    return set.error();
  }
  return make_ready(std::move(*db), boot);
}

Result<Store> Store::make_ready(Sqlite db, Durability durability, const std::string& boot) {
  db.keep_log(false);
  if (const auto done = set_up(db, durability); !done) return done.error();
  if (durability == Durability::kFull) {
    if (const auto done = sync_wal(db); !done) return done.error();
  }
  return make_ready(std::move(db), boot);
}

Result<Store> Store::make_ready(Sqlite db, const std::string& boot) {
  const auto boot_row = find_or_add_boot(db, boot);
  if (!boot_row) return boot_row.error();
  if (const auto added = add_record_functions(db); !added) return added.error();
  auto statements = prepare(db);
  if (!statements) return statements.error();
  const auto parts = db.number("SELECT count(*) FROM history_parts");
  if (!parts) return parts.error();
  return Store(std::move(db), std::move(*statements), *boot_row, *parts);
}

Result<Store::Loaded> Store::open_and_load(const std::string& path, Durability durability,
                                           const std::string& boot, const Now& now,
                                           const TakeRow& take, const ExpectRows& expect,
                                           const ReportWork* report_work) {
  auto db = open_file(path);
  if (!db) return cannot_open(path, db.error());
  Opening opening(*db, report_work);
  std::optional<PageCheck> check;
  // A damaged page can make the way through a table longer than any file: whoever goes it stops
  // when the check has found the page.
  const std::function<bool()> go_on = [&opening, &check] {
    opening.report();
    return !check || !check->has_failed();
  };
  db->on_progress(&go_on);
  const auto version = check_schema(*db);
  if (!version) return cannot_open(path, version.error());
  if (*version == newest_schema()) {
    check.emplace(path);
  } else if (const auto done = migrate(*db, &opening.work());
             !done) {  // it must be written to before it is read
    return cannot_open(path, done.error());
  }
  const auto load = [&]() -> Result<LoadReport> {
    // The rows come from pages of which nothing is known yet.
    if (const auto set = db->exec("PRAGMA cell_size_check = ON"); !set) return set.error();
    const auto boot_row = find_boot(*db, boot);
    if (!boot_row) return boot_row.error();
    return Loading(now, *boot_row, take, expect, &opening.work()).run(*db);
  };
  opening.take_leave();
  const Result<LoadReport> report = load();
  opening.take_leave();
  if (check) {
    // Damage explains whatever else went wrong.
    if (const auto sound = check->wait(report_work); !sound)
      return cannot_open(path, sound.error());
  }
  if (!report) return cannot_open(path, report.error());
  auto store = make_ready(std::move(*db), durability, boot);
  if (!store) return cannot_open(path, store.error());
  store->db_.on_progress(nullptr);
  return Loaded{std::move(*store), *report};
}

Result<LoadReport> Store::load(const Now& now, const TakeRow& take, const ExpectRows& expect) {
  return Loading(now, boot_, take, expect, nullptr).run(db_);
}

}  // namespace concur
