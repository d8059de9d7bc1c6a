#include "store/store.hpp"

#include "base/utf8.hpp"
#include "session/id.hpp"
#include "store/schema.hpp"

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <utility>

namespace concur {

namespace {

std::int64_t millis(Instant at, Millis offset) { return (at.time_since_epoch() + offset).count(); }

// Far beyond any real clock, and small enough that sums of a few cannot overflow.
bool is_sane(std::int64_t number) {
  constexpr std::int64_t kMost = 1LL << 53;
  return number > -kMost && number < kMost;
}

void bind_optional(Statement& to, int at, const std::string& text) {
  if (text.empty()) {
    to.bind_null(at);
  } else {
    to.bind(at, text);
  }
}

Result<std::int64_t> find_or_add_boot(Sqlite& db, const std::string& boot) {
  auto find = db.prepare("SELECT id FROM boots WHERE boot_id = ? AND boot_id <> ''");
  if (!find) return find.error();
  find->bind(1, boot);
  const auto found = find->step();
  if (!found) return found.error();
  if (*found) return find->integer(0);
  auto add = db.prepare("INSERT INTO boots(boot_id) VALUES (?) RETURNING id");
  if (!add) return add.error();
  add->bind(1, boot);
  const auto added = add->step();
  if (!added) return added.error();
  const std::int64_t id = add->integer(0);
  if (const auto done = add->step(); !done) return done.error();
  return id;
}

Result<void> set_up(Sqlite& db, Durability durability) {
  const auto mode = db.string("PRAGMA journal_mode = WAL");
  if (!mode) return mode.error();
  if (*mode != "wal") {
    return Error{ErrorKind::kUnavailable, "its file system does not allow write-ahead logging"};
  }
  return db.exec(
      fmt::format("PRAGMA synchronous = {};"
                  "PRAGMA journal_size_limit = {};"
                  "PRAGMA cell_size_check = ON;",
                  durability == Durability::kFull ? "FULL" : "NORMAL", 64 << 20));
}

bool is_plain(const std::string& text) {
  return text.size() <= Id::kMostBytes && is_utf8(text) && !has_control(text);
}

bool is_valid(const Details& details) {
  if (!is_plain(details.device) || !is_plain(details.ip) || !is_plain(details.content))
    return false;
  if (details.meta.empty()) return true;
  boost::json::error_code failed;
  return boost::json::parse(details.meta, failed).is_object() && !failed;
}

// Beyond it a start could find no id; at a million starts a second they last 36,000 years.
constexpr std::int64_t kLastRow = 1LL << 60;

// A row as it stands in the database, hostile until checked.
struct StoredRow {
  Row row;
  std::string refusal;
};

StoredRow read_row(const Statement& from, const Now& now, std::int64_t boot) {
  StoredRow read;
  Row& row = read.row;
  row.id = from.integer(0);
  row.user = from.text(1);
  row.session = from.text(2);
  const std::int64_t started = from.integer(3);
  const std::int64_t seen = from.integer(4);
  const std::int64_t expires = from.integer(5);
  const std::int64_t ttl = from.integer(6);
  const bool same_boot = from.integer(8) == boot;
  const std::int64_t offset = same_boot ? from.integer(7) : now.offset().count();
  Details details{from.text(9), from.text(10), from.text(11), from.text(12)};
  const bool details_valid = is_valid(details);
  if (!details.empty()) row.details = std::make_unique<Details>(std::move(details));
  const auto user = Id::parse("user", row.user);
  const auto session = Id::parse("session", row.session);
  if (!user) {
    read.refusal = user.error().message;
  } else if (!session) {
    read.refusal = session.error().message;
  } else if (row.id <= 0 || row.id > kLastRow || !is_sane(started) || !is_sane(seen) ||
             !is_sane(expires) || !is_sane(ttl) || !is_sane(offset)) {
    read.refusal = "cannot accept row: a number is out of range";
  } else if (!details_valid) {
    read.refusal = "cannot accept row: device, ip, content or meta is malformed";
  } else {
    row.started = Instant(Millis(started - offset));
    row.last_seen = Instant(Millis(seen - offset));
    row.expires = Instant(Millis(expires - offset));
    row.ttl = Millis(ttl);
  }
  return read;
}

}  // namespace

Result<Store> Store::open(const std::string& path, Durability durability, const std::string& boot) {
  const auto cannot = [&path](const Error& error) {
    return Error{error.kind, fmt::format("cannot open database {}: {}", path, error.message)};
  };
  auto db = Sqlite::open(path);
  if (!db) return cannot(db.error());
  if (const auto done = migrate(*db); !done) return cannot(done.error());
  if (const auto done = set_up(*db, durability); !done) return cannot(done.error());
  const auto boot_row = find_or_add_boot(*db, boot);
  if (!boot_row) return cannot(boot_row.error());
  auto statements = prepare(*db);
  if (!statements) return cannot(statements.error());
  return Store(std::move(*db), std::move(*statements), *boot_row);
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
      one("INSERT INTO sessions(id, user, session, started_at, last_seen_at, expires_at, ttl, "
          "clock_offset, boot, device, ip, content, meta) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      one("UPDATE sessions SET started_at = ?2, last_seen_at = ?3, expires_at = ?4, ttl = ?5, "
          "clock_offset = ?6, boot = ?7 WHERE id = ?1"),
      one("DELETE FROM sessions WHERE id = ?"),
      one(fmt::format("PRAGMA user_version = {}", newest_schema())),
      one("PRAGMA page_count"),
      one("PRAGMA freelist_count"),
  };
  if (failed) return *failed;
  return all;
}

Result<LoadReport> Store::load(const Now& now, const std::function<bool(Row)>& take) {
  LoadReport report;
  auto rows = db_.prepare(
      "SELECT id, user, session, started_at, last_seen_at, expires_at, ttl, clock_offset, boot, "
      "device, ip, content, meta FROM sessions ORDER BY id");
  if (!rows) return rows.error();
  while (true) {
    const auto more = rows->step();
    if (!more) return more.error();
    if (!*more) return report;
    StoredRow read = read_row(*rows, now, boot_);
    const std::int64_t id = read.row.id;
    if (id <= kLastRow) report.last_id = std::max(report.last_id, id);
    if (read.refusal.empty() && !take(std::move(read.row))) {
      read.refusal = "cannot accept row: its user has a session of that name already";
    }
    if (read.refusal.empty()) {
      ++report.rows;
    } else if (report.refused++ == 0) {
      report.first_refusal = fmt::format("row {}: {}", id, read.refusal);
    }
  }
}

Result<void> Store::commit(std::span<const Change> changes, Millis offset) {
  if (const auto begun = statements_.begin.run(); !begun) return begun.error();
  Result<void> written = write(changes, offset);
  if (written) written = statements_.commit.run();
  if (written) return {};
  // Some failures end the transaction by themselves; then there is nothing to roll back.
  if (sqlite3_get_autocommit(db_.handle()) == 0) static_cast<void>(statements_.rollback.run());
  return written.error();
}

Result<void> Store::write(std::span<const Change> changes, Millis offset) {
  if (changes.empty()) return statements_.touch.run();
  for (const Change& change : changes) {
    const auto done = std::visit([&](const auto& c) { return write(c, offset); }, change);
    if (!done) return done.error();
  }
  return {};
}

Result<void> Store::write(const Insert& insert, Millis offset) {
  const Row& row = insert.row;
  Statement& to = statements_.insert;
  to.bind(1, row.id);
  to.bind(2, row.user);
  to.bind(3, row.session);
  to.bind(4, millis(row.started, offset));
  to.bind(5, millis(row.last_seen, offset));
  to.bind(6, millis(row.expires, offset));
  to.bind(7, row.ttl.count());
  to.bind(8, offset.count());
  to.bind(9, boot_);
  static const Details kNothing;
  const Details& details = row.details ? *row.details : kNothing;
  bind_optional(to, 10, details.device);
  bind_optional(to, 11, details.ip);
  bind_optional(to, 12, details.content);
  bind_optional(to, 13, details.meta);
  return to.run();
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

Result<void> Store::write(const Remove& remove, Millis) {
  statements_.remove.bind(1, remove.id);
  return statements_.remove.run();
}

bool Store::give_back_space() {
  constexpr std::int64_t kWorthwhile = 2048;
  const auto read = [](Statement& statement) {
    const auto row = statement.step();
    const std::int64_t value = row && *row ? statement.integer(0) : 0;
    statement.reset();
    return value;
  };
  const std::int64_t free = read(statements_.free_pages);
  if (free < kWorthwhile || free < read(statements_.pages) / 2) return false;
  return db_.exec("PRAGMA incremental_vacuum(256)").has_value();
}

}  // namespace concur
