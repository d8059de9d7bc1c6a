#include "store/store.hpp"

#include "store/page_check.hpp"
#include "store/record_sql.hpp"
#include "store/schema.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace concur {

namespace {

std::int64_t millis(Instant at, Millis offset) { return (at.time_since_epoch() + offset).count(); }

void bind_optional(Statement& to, int at, std::string_view text) {
  if (text.empty()) {
    to.bind_null(at);
  } else {
    to.bind(at, text);
  }
}

void bind_optional(Statement& to, int at, std::optional<OnLimit> on_limit) {
  bind_optional(to, at, on_limit ? word_of(*on_limit) : std::string_view());
}

// Sessions that go into one statement: that spares a third of what a row costs by itself.
constexpr std::size_t kMany = 8;

// The transaction of a statement that fails is given up as a whole, so that it need not undo itself
// (OR FAIL): to be able to, SQLite would keep a journal of each statement beside the log, in a file
// in another place where there is much of it.
std::string insert_of(std::size_t rows) {
  std::string sql =
      "INSERT OR FAIL INTO sessions(id, user, session, started_at, last_seen_at, expires_at, ttl, "
      "clock_offset, boot, device, ip, content, meta) VALUES ";
  for (std::size_t i = 0; i < rows; ++i) {
    sql += i == 0 ? "(" : ", (";
    sql += "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  }
  return sql;
}

// How many of the first changes start sessions; looks no further than kMany.
std::size_t count_inserts(std::span<const Change> changes) {
  const auto first = changes.first(std::min(kMany, changes.size()));
  const auto other = std::ranges::find_if_not(
      first, [](const Change& change) { return std::holds_alternative<Insert>(change); });
  return static_cast<std::size_t>(other - first.begin());
}

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

// A statement's only value; nullopt where it is none or cannot be read.
std::optional<std::int64_t> read(Statement& statement) {
  const auto row = statement.step();
  std::optional<std::int64_t> value;
  if (row && *row && !statement.is_null(0)) value = statement.integer(0);
  statement.reset();
  return value;
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
      fmt::format("PRAGMA synchronous = {};"
                  "PRAGMA journal_size_limit = {};"
                  "PRAGMA wal_autocheckpoint = {};"
                  "PRAGMA cell_size_check = ON;",
                  durability == Durability::kFull ? "FULL" : "NORMAL", 64 << 20, kLogPages));
}

// After kill -9 the log may hold commits that only the page cache has. Whoever repeats a start that
// is among them is told that it stands, so it must be on the disk by then: a checkpoint syncs the
// log before it copies from it. And what a sync failed to keep is never tried again by the next
// one, so that whatever follows it in the log would be lost with it: the copy stands instead. Where
// there is no room for the copy, at least the sync was done.
Result<void> settle_log(Sqlite& db) {
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
  return 0;
}

// Gives away the rows of one table after the other.
class Loading {
 public:
  Loading(const Now& now, std::int64_t boot, const TakeRow& take, const ExpectRows& expect)
      : now_(now), boot_(boot), take_(take), expect_(expect) {}

  Result<LoadReport> run(Sqlite& db) {
    for (const RowSource& source : row_sources()) {
      auto rows = db.prepare(source.sql);
      if (!rows) return rows.error();
      for (bool more = true; more;) {
        const auto read = read_some(source, *rows);
        if (!read) return read.error();
        more = *read;
        give_away(source.name);
      }
    }
    return report_;
  }

 private:
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
        report_.first_refusal = fmt::format("{}, row {}: {}", table, id, refusal);
      }
    }
  }

  const Now& now_;
  std::int64_t boot_;
  const TakeRow& take_;
  const ExpectRows& expect_;
  LoadReport report_;
  std::vector<StoredRow> rows_;
  std::vector<std::string> refusals_;  // of the row at the same place; empty for none
};

Error cannot_open(const std::string& path, const Error& error) {
  constexpr std::string_view kHint = " (concurrencyd --recover salvages what can be read)";
  return {error.kind, fmt::format("cannot open database {}: {}{}", path, error.message,
                                  error.kind == ErrorKind::kCorrupt ? kHint : "")};
}

// Unchecked. Its write-ahead log stays as it is until told otherwise.
Result<Sqlite> open_file(const std::string& path) {
  const bool has_log = size_of(path + "-wal").value_or(0) > 0;
  if (has_log && size_of(path) == 0) {
    // SQLite would throw the log away, and with it what was committed last.
    return Error{ErrorKind::kCorrupt, "it is empty, and its write-ahead log is not"};
  }
  auto db = Sqlite::open(path);
  if (db) db->keep_log(has_log);
  return db;
}

}  // namespace

Result<Store> Store::open(const std::string& path, Durability durability, const std::string& boot,
                          const std::function<void()>* tick) {
  auto db = open_file(path);
  if (!db) return cannot_open(path, db.error());
  const std::function<bool()> go_on = [tick] {
    if (tick != nullptr) (*tick)();
    return true;
  };
  db->on_progress(&go_on);
  if (const auto done = migrate(*db); !done) return cannot_open(path, done.error());
  auto store = make_ready(std::move(*db), durability, boot);
  if (!store) return cannot_open(path, store.error());
  store->db_.on_progress(nullptr);
  return store;
}

Result<Store> Store::make_ready(Sqlite db, Durability durability, const std::string& boot) {
  db.keep_log(false);
  if (const auto done = set_up(db, durability); !done) return done.error();
  if (durability == Durability::kFull) {
    if (const auto done = settle_log(db); !done) return done.error();
  }
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
                                           const std::function<void()>* tick) {
  auto db = open_file(path);
  if (!db) return cannot_open(path, db.error());
  std::optional<PageCheck> check;
  // A damaged page can make the way through a table longer than any file: whoever goes it stops
  // when the check has found the page.
  const std::function<bool()> go_on = [tick, &check] {
    if (tick != nullptr) (*tick)();
    return !check || !check->has_failed();
  };
  db->on_progress(&go_on);
  const auto version = check_schema(*db);
  if (!version) return cannot_open(path, version.error());
  if (*version == newest_schema()) {
    check.emplace(path);
  } else if (const auto done = migrate(*db); !done) {  // it must be written to before it is read
    return cannot_open(path, done.error());
  }
  const auto load = [&]() -> Result<LoadReport> {
    // The rows come from pages of which nothing is known yet.
    if (const auto set = db->exec("PRAGMA cell_size_check = ON"); !set) return set.error();
    const auto boot_row = find_boot(*db, boot);
    if (!boot_row) return boot_row.error();
    return Loading(now, *boot_row, take, expect).run(*db);
  };
  const Result<LoadReport> report = load();
  if (check) {
    // Damage explains whatever else went wrong.
    if (const auto sound = check->wait(tick); !sound) return cannot_open(path, sound.error());
  }
  if (!report) return cannot_open(path, report.error());
  auto store = make_ready(std::move(*db), durability, boot);
  if (!store) return cannot_open(path, store.error());
  store->db_.on_progress(nullptr);
  return Loaded{std::move(*store), *report};
}

Result<Store::Statements> Store::prepare(Sqlite& db) {
  std::optional<Error> failed;
  const auto one = [&](std::string_view sql) -> Statement {
    auto statement = db.prepare(sql);
    if (statement) return std::move(*statement);
    failed = statement.error();
    return Statement();
  };
  Statements all{
      one("BEGIN IMMEDIATE"),
      one("COMMIT"),
      one("ROLLBACK"),
      one(insert_of(1)),
      one(insert_of(kMany)),
      one("UPDATE sessions SET started_at = ?2, last_seen_at = ?3, expires_at = ?4, ttl = ?5, "
          "clock_offset = ?6, boot = ?7 WHERE id = ?1"),
      one("UPDATE sessions SET content = ?2, meta = ?3 WHERE id = ?1"),
      one("DELETE FROM sessions WHERE id = ?"),
      one("INSERT OR REPLACE INTO hold_offs(id, user, session, device, since, clock_offset, boot) "
          "VALUES (?, ?, ?, ?, ?, ?, ?)"),
      one("DELETE FROM hold_offs WHERE id = ?"),
      one("INSERT OR REPLACE INTO limits(user, max_sessions, plan, on_limit) VALUES (?, ?, ?, ?)"),
      one("DELETE FROM limits WHERE user = ?"),
      one("INSERT OR REPLACE INTO plans(plan, max_sessions, on_limit) VALUES (?, ?, ?)"),
      one("DELETE FROM plans WHERE plan = ?"),
      one("INSERT INTO history_parts(hour, user, starts, denials, evictions, peak, attempted, "
          "excess, devices, addresses) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      one("SELECT min(id) FROM history_parts"),
      // In the order of the key, for neighbours share a page. A tampered row counts for what it
      // can.
      one("INSERT INTO history(hour, user, starts, denials, evictions, peak, attempted, excess, "
          "devices, addresses) SELECT hour, user, min(max(starts, 0), 1 << 53), "
          "min(max(denials, 0), 1 << 53), min(max(evictions, 0), 1 << 53), peak, attempted, "
          "excess, devices, addresses FROM history_parts WHERE id <= ? ORDER BY hour, user "
          "ON CONFLICT(hour, user) DO UPDATE SET "
          "starts = min(max(starts, 0), 1 << 53) + excluded.starts, "
          "denials = min(max(denials, 0), 1 << 53) + excluded.denials, "
          "evictions = min(max(evictions, 0), 1 << 53) + excluded.evictions, "
          "peak = max(peak, excluded.peak), attempted = max(attempted, excluded.attempted), "
          "excess = max(excess, excluded.excess), "
          "devices = merge_distinct(devices, excluded.devices), "
          "addresses = merge_distinct(addresses, excluded.addresses)"),
      one("DELETE FROM history_parts WHERE id <= ?"),
      // The oldest hour's users in order, up to the 500th: a range of the key, for the price of
      // what goes.
      one("DELETE FROM history WHERE hour = (SELECT min(hour) FROM history WHERE hour < ?1) "
          "AND user <= coalesce((SELECT user FROM history "
          "WHERE hour = (SELECT min(hour) FROM history WHERE hour < ?1) "
          "ORDER BY user LIMIT 1 OFFSET 499), (SELECT max(user) FROM history "
          "WHERE hour = (SELECT min(hour) FROM history WHERE hour < ?1)))"),
      one(fmt::format("PRAGMA user_version = {}", newest_schema())),
      one("PRAGMA page_count"),
      one("PRAGMA freelist_count"),
  };
  if (failed) return *failed;
  return all;
}

Result<LoadReport> Store::load(const Now& now, const TakeRow& take, const ExpectRows& expect) {
  return Loading(now, boot_, take, expect).run(db_);
}

Result<void> Store::in_transaction(const std::function<Result<void>()>& work) {
  if (const auto begun = statements_.begin.run(); !begun) return begun.error();
  Result<void> done = work();
  if (done) done = statements_.commit.run();
  if (done) return {};
  // Some failures end the transaction by themselves; then there is nothing to roll back.
  if (sqlite3_get_autocommit(db_.handle()) == 0) static_cast<void>(statements_.rollback.run());
  return done.error();
}

Result<void> Store::commit(std::span<const Change> changes, Millis offset) {
  return in_transaction([&] { return write(changes, offset); });
}

Result<void> Store::write(std::span<const Change> changes, Millis offset) {
  if (changes.empty()) return statements_.touch.run();
  while (!changes.empty()) {
    const bool many = count_inserts(changes) == kMany;
    const std::size_t taken = many ? kMany : 1;
    const auto done =
        many ? write_many(changes.first(kMany), offset)
             : std::visit([&](const auto& c) { return write(c, offset); }, changes.front());
    if (!done) return done.error();
    changes = changes.subspan(taken);
  }
  return {};
}

Result<void> Store::write_many(std::span<const Change> inserts, Millis offset) {
  int next = 1;
  for (const Change& each : inserts) {
    next = bind(statements_.insert_many, next, std::get<Insert>(each).row, offset);
  }
  return statements_.insert_many.run();
}

Result<void> Store::write(const Insert& insert, Millis offset) {
  bind(statements_.insert, 1, insert.row, offset);
  return statements_.insert.run();
}

// From the question mark `first` on; says which comes next.
int Store::bind(Statement& to, int first, const Row& row, Millis offset) const {
  int at = first;
  to.bind(at++, row.id);
  to.bind(at++, row.user);
  to.bind(at++, row.session);
  to.bind(at++, millis(row.started, offset));
  to.bind(at++, millis(row.last_seen, offset));
  to.bind(at++, millis(row.expires, offset));
  to.bind(at++, row.ttl.count());
  to.bind(at++, offset.count());
  to.bind(at++, boot_);
  static const Details kNothing;
  const Details& details = row.details ? *row.details : kNothing;
  for (const std::string* text : {&details.device, &details.ip, &details.content, &details.meta}) {
    bind_optional(to, at++, *text);
  }
  return at;
}

Result<void> Store::write(const Save& save, Millis offset) {
  Statement& to = statements_.save;
  to.bind(1, save.id);
  to.bind(2, millis(save.started, offset));
  to.bind(3, millis(save.last_seen, offset));
  to.bind(4, millis(save.expires, offset));
  to.bind(5, save.ttl.count());
  to.bind(6, offset.count());
  to.bind(7, boot_);
  return to.run();
}

Result<void> Store::write(const Describe& describe, Millis /*offset*/) {
  Statement& to = statements_.describe;
  to.bind(1, describe.id);
  bind_optional(to, 2, describe.content);
  bind_optional(to, 3, describe.meta);
  return to.run();
}

Result<void> Store::write(const Remove& remove, Millis /*offset*/) {
  statements_.remove.bind(1, remove.id);
  return statements_.remove.run();
}

Result<void> Store::write(const PutHoldOff& put, Millis offset) {
  Statement& to = statements_.put_hold_off;
  to.bind(1, put.row.id);
  to.bind(2, put.row.user);
  to.bind(3, put.row.session);
  bind_optional(to, 4, put.row.device);
  to.bind(5, millis(put.row.since, offset));
  to.bind(6, offset.count());
  to.bind(7, boot_);
  return to.run();
}

Result<void> Store::write(const DropHoldOff& drop, Millis /*offset*/) {
  statements_.drop_hold_off.bind(1, drop.id);
  return statements_.drop_hold_off.run();
}

Result<void> Store::write(const PutLimit& put, Millis /*offset*/) {
  if (put.row.empty()) {
    statements_.drop_limit.bind(1, put.row.user);
    return statements_.drop_limit.run();
  }
  Statement& to = statements_.put_limit;
  to.bind(1, put.row.user);
  if (put.row.limit) {
    to.bind(2, std::int64_t{*put.row.limit});
  } else {
    to.bind_null(2);
  }
  bind_optional(to, 3, put.row.plan);
  bind_optional(to, 4, put.row.on_limit);
  return to.run();
}

Result<void> Store::write(const PutPlan& put, Millis /*offset*/) {
  Statement& to = statements_.put_plan;
  to.bind(1, put.row.plan);
  to.bind(2, std::int64_t{put.row.limit});
  bind_optional(to, 3, put.row.on_limit);
  return to.run();
}

Result<void> Store::write(const DropPlan& drop, Millis /*offset*/) {
  statements_.drop_plan.bind(1, drop.plan);
  return statements_.drop_plan.run();
}

Result<void> Store::write(const AddUsage& add, Millis /*offset*/) {
  const Usage& usage = add.usage;
  const std::string devices = usage.devices.bytes();
  const std::string addresses = usage.addresses.bytes();
  Statement& to = statements_.add_part;
  to.bind(1, usage.hour);
  to.bind(2, add.user);
  int at = 3;
  for (const std::uint32_t count :
       {usage.starts, usage.denials, usage.evictions, usage.peak, usage.attempted, usage.excess}) {
    to.bind(at++, std::int64_t{count});
  }
  to.bind_blob(at++, devices);
  to.bind_blob(at, addresses);
  ++parts_;
  return to.run();
}

// How many at a time: a commit may wait for it. Where too many wait, all that are too many.
bool Store::add_up_history() {
  constexpr std::int64_t kAtOnce = 32;
  const auto first = read(statements_.first_part);
  if (!first) {
    parts_ = 0;
    return false;
  }
  const std::int64_t more = std::max(kAtOnce, parts_ - kMostParts) - 1;
  const std::int64_t last = *first + std::min(more, INT64_MAX - std::max<std::int64_t>(*first, 0));
  const auto done = in_transaction([&]() -> Result<void> {
    statements_.add_up.bind(1, last);
    statements_.drop_parts.bind(1, last);
    if (auto added = statements_.add_up.run(); !added) return added;
    return statements_.drop_parts.run();
  });
  if (done) parts_ -= sqlite3_changes(db_.handle());
  return done.has_value();
}

bool Store::trim_history(std::int64_t oldest_hour) {
  statements_.trim_history.bind(1, oldest_hour);
  return statements_.trim_history.run() && sqlite3_changes(db_.handle()) > 0;
}

bool Store::give_back_space() {
  constexpr std::int64_t kWorthwhile = 2048;
  const std::int64_t free = read(statements_.free_pages).value_or(0);
  if (free < kWorthwhile || free < read(statements_.pages).value_or(0) / 2) return false;
  return db_.exec("PRAGMA incremental_vacuum(256)").has_value();
}

}  // namespace concur
