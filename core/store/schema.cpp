#include "store/schema.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace concur {

namespace {

// Numbered from 1. A migration that has been released never changes.
constexpr std::array kMigrations{
    // 1. Wall-clock columns are Unix time in milliseconds; minus clock_offset they are readings of
    // the boot clock of `boot`.
    // The row id ascends with each start, so that inserts append.
    R"(
      CREATE TABLE boots(
        id INTEGER PRIMARY KEY,
        boot_id TEXT NOT NULL
      ) STRICT;
      CREATE TABLE sessions(
        id INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        session TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        last_seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ttl INTEGER NOT NULL,
        clock_offset INTEGER NOT NULL,
        boot INTEGER NOT NULL REFERENCES boots(id),
        device TEXT,
        ip TEXT,
        content TEXT,
        meta TEXT
      ) STRICT;
    )",
    // 2. What operators set for plans and users; NULL leaves it to the next in line. And who was
    // evicted of late, and so may not evict: the id was the session's.
    R"(
      CREATE TABLE plans(
        plan TEXT PRIMARY KEY,
        max_sessions INTEGER NOT NULL,
        on_limit TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE limits(
        user TEXT PRIMARY KEY,
        max_sessions INTEGER,
        plan TEXT,
        on_limit TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE hold_offs(
        id INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        session TEXT NOT NULL,
        device TEXT,
        since INTEGER NOT NULL,
        clock_offset INTEGER NOT NULL,
        boot INTEGER NOT NULL REFERENCES boots(id)
      ) STRICT;
    )",
    // 3. Who shares: what each user did in each hour, counted in hours since 1970. Devices and
    // addresses are lists of hashes (DistinctCount). Keyed so that what is old goes in one piece.
    R"(
      CREATE TABLE history(
        hour INTEGER NOT NULL,
        user TEXT NOT NULL,
        starts INTEGER NOT NULL,
        denials INTEGER NOT NULL,
        evictions INTEGER NOT NULL,
        peak INTEGER NOT NULL,
        attempted INTEGER NOT NULL,
        excess INTEGER NOT NULL,
        devices BLOB,
        addresses BLOB,
        PRIMARY KEY(hour, user)
      ) STRICT, WITHOUT ROWID;
    )",
    // 4. Parts of users' hours, in the order they were recorded, until they are added to `history`:
    // what is recorded goes to the end of one table, whoever it is of, and finding each user's row
    // waits for a quiet moment.
    R"(
      CREATE TABLE history_parts(
        id INTEGER PRIMARY KEY,
        hour INTEGER NOT NULL,
        user TEXT NOT NULL,
        starts INTEGER NOT NULL,
        denials INTEGER NOT NULL,
        evictions INTEGER NOT NULL,
        peak INTEGER NOT NULL,
        attempted INTEGER NOT NULL,
        excess INTEGER NOT NULL,
        devices BLOB,
        addresses BLOB
      ) STRICT;
    )",
    // 5. How often a session was renewed from elsewhere, or a device changed hands.
    R"(
      ALTER TABLE history ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE history_parts ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0;
    )",
    // 6. A viewer is held off by what it is known by: device, else address, else session; and who
    // is protected, and which devices changed hands, is kept with it. The mark is the number of a
    // Mark; NULL in a row from before holds off the session and the device.
    R"(
      ALTER TABLE hold_offs ADD COLUMN address TEXT;
      ALTER TABLE hold_offs ADD COLUMN mark INTEGER;
    )",
    // 7. Who was evicted or purged, by whom, and when (`at`), for as long as that is told. The id
    // ascends with each that goes, so that inserts append and what is over goes in one piece.
    R"(
      CREATE TABLE gone(
        id INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        session TEXT NOT NULL,
        reason TEXT NOT NULL,
        by_session TEXT,
        by_device TEXT,
        at INTEGER NOT NULL,
        ttl INTEGER NOT NULL,
        clock_offset INTEGER NOT NULL,
        boot INTEGER NOT NULL REFERENCES boots(id)
      ) STRICT;
    )",
    // 8. Which of its starts was the latest, when it was last saved; the first is 0.
    R"(
      ALTER TABLE sessions ADD COLUMN start INTEGER NOT NULL DEFAULT 0;
    )",
    // 9. Of a box of a fleet: which start of the fleet a session is, and who the box is, by a
    // random number.
    R"(
      ALTER TABLE sessions ADD COLUMN fleet_start INTEGER NOT NULL DEFAULT 0;
      CREATE TABLE box(
        identity INTEGER PRIMARY KEY
      ) STRICT;
    )",
    // 10. Numbers of users and plans for rules that the config has by name; how many starts of a
    // user rules denied in an hour, the limit's denials left out; users whom operators keep out,
    // from when on, and for how long, where there is an end to it; and what viewers are told.
    R"(
      CREATE TABLE rule_numbers(
        of TEXT NOT NULL CHECK(of IN ('user', 'plan')),
        name TEXT NOT NULL,
        rule TEXT NOT NULL,
        max INTEGER NOT NULL,
        PRIMARY KEY(of, name, rule)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE rule_denials(
        hour INTEGER NOT NULL,
        user TEXT NOT NULL,
        rule TEXT NOT NULL,
        denials INTEGER NOT NULL,
        PRIMARY KEY(hour, user, rule)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE blocks(
        user TEXT PRIMARY KEY,
        since INTEGER NOT NULL,
        length INTEGER,
        message TEXT,
        clock_offset INTEGER NOT NULL,
        boot INTEGER NOT NULL REFERENCES boots(id)
      ) STRICT, WITHOUT ROWID;
      ALTER TABLE gone ADD COLUMN message TEXT;
    )",
    // 11. For how long, from its start on, a session is let in above the limit, 0 of all others;
    // and one more than the limit that came with its start, 0 where none did.
    R"(
      ALTER TABLE sessions ADD COLUMN overlap INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE sessions ADD COLUMN overlap_limit INTEGER NOT NULL DEFAULT 0;
    )",
};

// The check reports a page that could not be read as one that is damaged, but for the code.
bool could_not_read(const std::string& verdict) {
  constexpr std::string_view kCode = "error code=";
  const std::size_t at = verdict.find(kCode);
  if (at == std::string::npos) return false;
  const int code = std::atoi(verdict.c_str() + at + kCode.size()) & 0xFF;
  return code != SQLITE_CORRUPT && code != SQLITE_NOTADB;
}

Result<void> run_migration(Sqlite& db, std::size_t number) {
  const std::string sql = text::format(
      "BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
      kMigrations[number - 1], kApplicationId, number);
  const auto done = db.exec(sql);
  if (!done) {
    const Error error = done.error();
    static_cast<void>(
        db.exec("ROLLBACK"));  // fails where SQLite rolled back itself; the first error counts
    return error;
  }
  return {};
}

// What a table is like, whatever white space its text has; empty where there is none.
Result<std::string> shape_of(Sqlite& db, const std::string& table) {
  auto shape = db.prepare(
      "SELECT (SELECT wr || strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1) || "
      "group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk) "
      "FROM pragma_table_info(?1)");
  if (!shape) return shape.error();
  shape->bind(1, table);
  const auto row = shape->step();
  if (!row) return row.error();
  return shape->text(0);
}

// A schema can be damaged so that it is still one: each table must be as the migrations make it.
// Others, such as an operator's own or those of ANALYZE, are nobody's business.
Result<void> check_tables(Sqlite& db, std::int64_t version) {
  auto model = Sqlite::open(":memory:");
  if (!model) return model.error();
  for (std::size_t number = 1; number <= static_cast<std::size_t>(version); ++number) {
    if (auto made = run_migration(*model, number); !made) return made;
  }
  auto tables = model->prepare("SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (!tables) return tables.error();
  while (true) {
    const auto more = tables->step();
    if (!more) return more.error();
    if (!*more) return {};
    const std::string table = tables->text(0);
    const auto wanted = shape_of(*model, table);
    if (!wanted) return wanted.error();
    const auto found = shape_of(db, table);
    if (!found) return found.error();
    if (*found == *wanted) continue;
    return Error{
        ErrorKind::kCorrupt,
        text::format("it is damaged: its table {} is not that of schema {}", table, version)};
  }
}

Result<void> check_ours(Sqlite& db, std::int64_t version) {
  const auto application = db.number("PRAGMA application_id");
  if (!application) return application.error();
  const auto objects = db.number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return objects.error();
  const bool is_new = *application == 0 && version == 0 && *objects == 0;
  if (!is_new && *application != kApplicationId) {
    return Error{ErrorKind::kInvalid, "it belongs to another program"};
  }
  if (version < 0) {
    return Error{ErrorKind::kCorrupt,
                 text::format("it is damaged: its schema has the number {}", version)};
  }
  if (version > newest_schema()) {
    return Error{
        ErrorKind::kInvalid,
        text::format("a newer concurrencyd wrote it (schema {}, this one knows {}): install "
                     "that version again, or restore a backup",
                     version, newest_schema())};
  }
  return check_tables(db, version);
}

// A header or a schema that no SQLite writes is an error of no class of its own.
Error as_damage(Sqlite& db, Error error) {
  const int code = sqlite3_errcode(db.handle());
  const bool odd = code == SQLITE_ERROR || code == SQLITE_OK;
  if (odd && error.kind == ErrorKind::kUnavailable) error.kind = ErrorKind::kCorrupt;
  return error;
}

}  // namespace

std::int64_t newest_schema() { return static_cast<std::int64_t>(kMigrations.size()); }

Result<std::int64_t> check_schema(Sqlite& db) {
  const auto version = db.number("PRAGMA user_version");
  if (!version) return as_damage(db, version.error());
  if (const auto ours = check_ours(db, *version); !ours) return as_damage(db, ours.error());
  return version;
}

Result<void> check_pages(Sqlite& db) {
  const auto verdict = db.string("PRAGMA quick_check(1)");
  if (!verdict) return as_damage(db, verdict.error());
  if (could_not_read(*verdict)) {
    return Error{ErrorKind::kUnavailable, "cannot read it: " + *verdict};
  }
  if (*verdict != "ok") return Error{ErrorKind::kCorrupt, "it is damaged: " + *verdict};
  return {};
}

WorkState checking_pages(std::uint64_t read, std::uint64_t pages) {
  const std::uint64_t most = pages == 0 ? read : pages - 1;
  return {
      .what = kCheckingPages, .unit = "pages", .done = std::min(read / 2, most), .total = pages};
}

Result<void> migrate(Sqlite& db, WorkState* work) {
  const auto version = check_schema(db);
  if (!version) return version.error();
  if (work != nullptr) *work = checking_pages(0, db.pages());
  if (auto sound = check_pages(db); !sound) return sound;
  if (*version == 0) {
    // Must stand before the first table; lets a shrunken database give its space back.
    if (const auto set = db.exec("PRAGMA auto_vacuum = INCREMENTAL"); !set) return set.error();
  }
  for (auto next = static_cast<std::size_t>(*version) + 1; next <= kMigrations.size(); ++next) {
    if (work != nullptr) {
      *work = {.what = "migrating the database",
               .unit = "schemas",
               .done = next - 1 - static_cast<std::size_t>(*version),
               .total = kMigrations.size() - static_cast<std::size_t>(*version)};
    }
    if (const auto done = run_migration(db, next); !done) return done.error();
  }
  return {};
}

}  // namespace concur
