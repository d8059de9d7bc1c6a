#include "store/recover.hpp"

#include "base/clock.hpp"
#include "base/free_name.hpp"
#include "base/text.hpp"
#include "session/distinct_count.hpp"
#include "session/id.hpp"
#include "store/log_reader.hpp"
#include "store/page_reader.hpp"
#include "store/rows.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace concur {

namespace {

namespace fs = std::filesystem;

Error system_error(int cause) { return {ErrorKind::kUnavailable, std::strerror(cause)}; }

// --- files ---

class WorkFolder {
 public:
  static Result<WorkFolder> make(const std::string& beside) {
    std::string path = beside + ".recover-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return system_error(errno);
    return WorkFolder(std::move(path));
  }
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  std::string file(std::string_view name) const { return text::format("{}/{}", path_, name); }

 private:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// What the disk does not give back comes as zeros: the rest of the file is still worth having.
Result<void> copy_file(const std::string& from, const std::string& to, const ReportWork& report) {
  constexpr std::size_t kPart = 4096;
  const Fd in(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!in || fstat(in.get(), &info) != 0) return system_error(errno);
  if (S_ISDIR(info.st_mode)) return system_error(EISDIR);
  if (!S_ISREG(info.st_mode)) return Error{ErrorKind::kUnavailable, "it is no file"};
  const Fd out(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return system_error(errno);
  std::string part;
  for (off_t at = 0; at < info.st_size; at += static_cast<off_t>(part.size())) {
    const auto left = static_cast<std::size_t>(info.st_size - at);
    part.assign(std::min(kPart, left), '\0');
    if (pread(in.get(), part.data(), part.size(), at) < 0 && errno != EIO) {
      return system_error(errno);
    }
    const ssize_t written = pwrite(out.get(), part.data(), part.size(), at);
    if (written < 0) return system_error(errno);
    if (static_cast<std::size_t>(written) != part.size()) return system_error(ENOSPC);
    report({.what = "copying the database",
            .done = static_cast<std::uint64_t>(at) + part.size(),
            .total = static_cast<std::uint64_t>(info.st_size)});
  }
  return {};
}

// --- rows ---

// A table of the new database, and how rows get into it.
struct Target {
  RecoveredTable table;
  bool keyed = false;
  std::size_t columns = 0;
  std::size_t columns_before = 0;     // of rows from before columns were added to it
  std::vector<std::string> types{};   // of the columns, as declared
  const RowSource* source = nullptr;  // none: it is not loaded at start-up
  Statement insert;
  Statement echo;  // gives back the row that is bound to it, as one of the table's would come
};

std::string placeholders(std::size_t count) {
  std::string text = "?";
  while (--count > 0) text += ", ?";
  return text;
}

// Columns were added to these at the end. A row that was written before is shorter, and the new
// ones have their default there.
std::size_t columns_before(std::string_view table, std::size_t now) {
  if (table == "history" || table == "history_parts" || table == "gone") return now - 1;
  if (table == "hold_offs") return now - 2;
  if (table == "sessions") return now - 4;
  return now;
}

Result<std::vector<std::string>> types_of(Sqlite& db, const std::string& table) {
  auto columns = db.prepare("SELECT type FROM pragma_table_info(?) ORDER BY cid");
  if (!columns) return columns.error();
  columns->bind(1, table);
  std::vector<std::string> types;
  while (true) {
    const auto more = columns->step();
    if (!more) return more.error();
    if (!*more) return types;
    types.push_back(columns->text(0));
  }
}

// Whether each value may stand in its column.
bool fits(const Target& target, const std::vector<Value>& row) {
  for (std::size_t i = 0; i < row.size() && i < target.types.size(); ++i) {
    const std::string& type = target.types[i];
    if (std::holds_alternative<std::int64_t>(row[i]) && type != "INTEGER") return false;
    if (std::holds_alternative<std::string>(row[i]) && type != "TEXT") return false;
    if (std::holds_alternative<Blob>(row[i]) && type != "BLOB") return false;
  }
  return true;
}

// The tables differ in their kind, in the number or the types of their columns, or in what stands
// there: by these a row is known, for its page does not name its table.
Result<std::vector<Target>> targets_of(Sqlite& db) {
  auto tables = db.prepare(
      "SELECT name, wr, ncol FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
      "AND name NOT LIKE 'sqlite_%' ORDER BY name");
  if (!tables) return tables.error();
  std::vector<Target> targets;
  while (true) {
    const auto more = tables->step();
    if (!more) return more.error();
    if (!*more) return targets;
    Target target;
    target.table.name = tables->text(0);
    target.keyed = tables->integer(1) != 0;
    target.columns = static_cast<std::size_t>(tables->integer(2));
    target.columns_before = columns_before(target.table.name, target.columns);
    auto types = types_of(db, target.table.name);
    if (!types) return types.error();
    target.types = std::move(*types);
    for (const RowSource& source : row_sources()) {
      if (source.name == target.table.name) target.source = &source;
    }
    const std::string values = placeholders(target.columns);
    auto insert = db.prepare(text::format("INSERT INTO {} VALUES ({})", target.table.name, values));
    if (!insert) return insert.error();
    auto echo = db.prepare(text::format("SELECT {}", values));
    if (!echo) return echo.error();
    target.insert = std::move(*insert);
    target.echo = std::move(*echo);
    targets.push_back(std::move(target));
  }
}

// The default of the columns that were added.
Value added_to(std::string_view table) {
  return table == "hold_offs" || table == "gone" ? Value() : Value(std::int64_t{0});
}

void bind(Statement& to, const std::vector<Value>& row) {
  int at = 0;
  for (const Value& value : row) {
    ++at;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      to.bind(at, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      to.bind(at, *text);
    } else if (const auto* blob = std::get_if<Blob>(&value)) {
      to.bind_blob(at, blob->bytes);
    } else {
      to.bind_null(at);
    }
  }
}

// What of the record of who shares and of the boots is wrong; of all else the reader at load says.
std::string refusal_of_unloaded(const std::vector<Value>& row) {
  constexpr std::int64_t kMax = std::int64_t{1} << 53;
  for (const Value& value : row) {
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number != nullptr && (*number < 0 || *number > kMax)) return "a number is out of range";
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr && !text->empty() && !Id::parse("text", *text))
      return "a text is malformed";
    const auto* blob = std::get_if<Blob>(&value);
    if (blob != nullptr && !DistinctCount::parse(blob->bytes)) return "its hashes are malformed";
  }
  return {};
}

class Salvage {
 public:
  Salvage(Sqlite& db, std::vector<Target> targets) : db_(db), targets_(std::move(targets)) {}

  Result<void> take_all(PageReader& reader, const ReportWork& report) {
    report_.pages = reader.pages();
    report_.missing_pages = reader.missing_pages();
    for (std::uint32_t number = 1; number <= reader.pages(); ++number) {
      const PageContent page = reader.read(number);
      if (page.kind == PageContent::Kind::kUnreadable) ++report_.unreadable_pages;
      if (auto done = take(page); !done) return done;
      report({.what = "salvaging rows", .unit = "pages", .done = number, .total = reader.pages()});
    }
    return {};
  }

  RecoverReport report() && {
    for (Target& target : targets_) report_.tables.push_back(std::move(target.table));
    return std::move(report_);
  }

 private:
  // Those that may have such a row; those where each value fits its column first.
  std::vector<Target*> targets_of(const PageContent& page, const std::vector<Value>& row) {
    std::vector<Target*> found;
    for (Target& each : targets_) {
      if (each.keyed == page.keyed && row.size() <= each.columns &&
          row.size() >= each.columns_before) {
        found.push_back(&each);
      }
    }
    std::ranges::stable_partition(found, [&row](Target* each) { return fits(*each, row); });
    return found;
  }

  Result<void> take(const PageContent& page) {
    Target* last = nullptr;
    for (const std::vector<Value>& row : page.rows) {
      const auto targets = targets_of(page, row);
      if (targets.empty()) {
        ++report_.foreign_rows;
        continue;
      }
      const auto taker = take(targets, row);
      if (!taker) return taker.error();
      last = *taker;
    }
    // All rows of a page are of one table.
    if (last != nullptr) last->table.unreadable += page.unreadable_rows;
    return {};
  }

  // The first that does not refuse it; where all do, it counts for the first of them.
  Result<Target*> take(const std::vector<Target*>& targets, const std::vector<Value>& row) {
    std::string refusal;
    for (Target* target : targets) {
      std::vector<Value> whole = row;
      whole.resize(target->columns, added_to(target->table.name));
      const auto refused = take(*target, whole);
      if (!refused) return refused.error();
      if (refused->empty()) return target;
      if (refusal.empty()) refusal = *refused;
    }
    Target& first = *targets.front();
    if (first.table.invalid++ == 0 && report_.first_invalid.empty()) {
      report_.first_invalid = text::format("{}: {}", first.table.name, refusal);
    }
    return &first;
  }

  // Why it is left out; empty where it is not.
  Result<std::string> take(Target& target, const std::vector<Value>& row) {
    auto refusal = refusal_of(target, row);
    if (!refusal || !refusal->empty()) return refusal;
    bind(target.insert, row);
    const auto done = target.insert.run();
    if (done) {
      ++target.table.rows;
      return std::string();
    }
    if (sqlite3_errcode(db_.handle()) != SQLITE_CONSTRAINT) return done.error();
    return done.error().message;
  }

  static Result<std::string> refusal_of(Target& target, const std::vector<Value>& row) {
    if (target.source == nullptr) return refusal_of_unloaded(row);
    bind(target.echo, row);
    const auto there = target.echo.step();
    if (!there) return there.error();
    std::string refusal = target.source->read(target.echo, SystemClock().now(), 0).refusal;
    target.echo.reset();
    return refusal;
  }

  Sqlite& db_;
  std::vector<Target> targets_;
  RecoverReport report_;
};

// The new database, in the folder.
Result<RecoverReport> salvage(PageReader& reader, const std::string& path,
                              const ReportWork& report) {
  auto db = Sqlite::open(path);
  if (!db) return db.error();
  if (const auto made = migrate(*db); !made) return made.error();
  // Nobody has it before it is whole: it need not survive anything.
  auto done = db->exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN");
  if (!done) return done.error();
  auto targets = targets_of(*db);
  if (!targets) return targets.error();
  Salvage salvage(*db, std::move(*targets));
  done = salvage.take_all(reader, report);
  if (!done) return done.error();
  // Rows of a boot that is lost must not be taken for those of the next one that gets its number;
  // no boot has an empty name.
  done = db->exec(
      "INSERT OR IGNORE INTO boots(id, boot_id) SELECT boot, '' FROM sessions "
      "UNION SELECT boot, '' FROM hold_offs UNION SELECT boot, '' FROM gone "
      "UNION SELECT boot, '' FROM blocks; COMMIT");
  if (!done) return done.error();
  return std::move(salvage).report();
}

// --- the new file ---

Result<void> publish(const std::string& made, const std::string& into) {
  const Fd file(open(made.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || fchmod(file.get(), 0600) != 0 || fsync(file.get()) != 0) return system_error(errno);
  if (const int cause = rename_to_free_name(made, into); cause != 0) return system_error(cause);
  const fs::path folder = fs::path(into).parent_path();
  const Fd holder(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!holder || fsync(holder.get()) != 0) return system_error(errno);
  return {};
}

Result<RecoverReport> recover_in(const WorkFolder& folder, const std::string& database,
                                 const std::string& into, const ReportWork& report_work) {
  const std::string copy = folder.file("damaged.db");
  const std::string log = folder.file("damaged.db-wal");
  if (const auto done = copy_file(database, copy, report_work); !done) return done.error();
  std::error_code error;
  if (fs::exists(database + "-wal", error)) {
    if (const auto done = copy_file(database + "-wal", log, report_work); !done)
      return done.error();
  }
  const auto logged = put_log_in(log, copy);
  if (!logged) return logged.error();
  auto reader = PageReader::open(copy);
  if (!reader) return reader.error();
  const std::string made = folder.file("recovered.db");
  auto report = salvage(*reader, made, report_work);
  if (!report) return report.error();
  report->damaged_frames = logged->damaged;
  if (!report->has_rows()) return Error{ErrorKind::kCorrupt, "nothing in it can be read"};
  if (const auto done = publish(made, into); !done) return done.error();
  return report;
}

}  // namespace

bool RecoverReport::has_rows() const {
  return std::any_of(tables.begin(), tables.end(),
                     [](const RecoveredTable& table) { return table.rows > 0; });
}

bool RecoverReport::lost_nothing() const {
  return unreadable_pages + missing_pages + damaged_frames == 0 &&
         std::all_of(tables.begin(), tables.end(), [](const RecoveredTable& table) {
           return table.invalid + table.unreadable == 0;
         });
}

Result<RecoverReport> recover(const std::string& database, const std::string& into,
                              const ReportWork& report_work) {
  const auto cannot = [&database](ErrorKind kind, std::string_view cause) {
    return Error{kind, text::format("cannot recover {}: {}", database, cause)};
  };
  struct stat info {};
  if (stat(database.c_str(), &info) != 0) {
    const ErrorKind kind = errno == ENOENT ? ErrorKind::kAbsent : ErrorKind::kUnavailable;
    return cannot(kind, std::strerror(errno));
  }
  if (lstat(into.c_str(), &info) == 0) {
    return cannot(ErrorKind::kInvalid,
                  text::format("{} is there already; move it away, or use it", into));
  }
  auto folder = WorkFolder::make(database);
  if (!folder) return cannot(folder.error().kind, folder.error().message);
  auto report = recover_in(*folder, database, into, report_work);
  if (!report) return cannot(report.error().kind, report.error().message);
  return report;
}

}  // namespace concur
