#include "store/recover.hpp"

#include "store/store.hpp"
#include "support/file_bytes.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::bytes_of;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;
using concur::test::write_bytes;

namespace {

constexpr std::size_t kPage = 4096;
const ReportWork kNobody = [](const WorkState&) {};

Store open_store(const std::string& path) {
  auto store = Store::open(path, Durability::kFull, "boot");
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

void add_sessions(Store& store, int from, int to, const Now& now) {
  std::vector<Change> changes;
  for (int id = from; id < to; ++id) {
    changes.push_back(Insert{{id, "abc", std::string(200, 's') + std::to_string(id), now.instant,
                              now.instant, now.instant + 90s, 90s, nullptr}});
  }
  REQUIRE(store.commit(changes, now.offset()).has_value());
}

void add_one_of_each(Store& store, const Now& now) {
  std::vector<Change> changes;
  Insert rich{{1, "abc", "rich", now.instant, now.instant, now.instant + 90s, 90s, nullptr}};
  rich.row.details = std::make_unique<Details>(
      Details{"tv", "192.0.2.1", "film", R"({"a":")" + std::string(9000, 'b') + R"("})"});
  changes.push_back(std::move(rich));
  changes.push_back(PutPlan{{"family", 5, OnLimit::kDeny}});
  changes.push_back(PutLimit{{"abc", std::nullopt, std::nullopt, "family"}});
  changes.push_back(PutHoldOff{{7, "abc", "s0", "phone", now.instant}});
  changes.push_back(PutBlock{{"abc", {now.instant, 1h, "Not today."}}});
  changes.push_back(PutBlock{{"xyz", {now.instant, {}, ""}}});
  changes.push_back(PutGone{{9, "abc", "s9", EndReason::kPurged, now.instant, 90s, nullptr}});
  Usage usage;
  usage.hour = 490'000;
  usage.starts = 3;
  usage.devices.add("tv");
  changes.push_back(AddUsage{"abc", usage});
  REQUIRE(store.commit(changes, now.offset()).has_value());
  REQUIRE(store.fold_usage());
  std::vector<Change> part;
  part.push_back(AddUsage{"abc", usage});
  REQUIRE(store.commit(part, now.offset()).has_value());
}

std::string content_of(const std::string& path) {
  auto db = Sqlite::open(path);
  REQUIRE(db.has_value());
  CHECK(db->string("PRAGMA integrity_check").value() == "ok");
  std::string all;
  for (const char* sql :
       {"SELECT group_concat(concat) FROM (SELECT id || boot_id AS concat FROM boots)",
        "SELECT group_concat(id || user || session || started_at || last_seen_at || "
        "expires_at || ttl || clock_offset || boot || coalesce(device, '-') || "
        "coalesce(ip, '-') || coalesce(content, '-') || coalesce(meta, '-') || start) "
        "FROM sessions",
        "SELECT group_concat(plan || max_sessions || on_limit) FROM plans",
        "SELECT group_concat(user || plan) FROM limits",
        "SELECT group_concat(id || user || session || device || since || coalesce(address || mark, "
        "'-')) FROM hold_offs",
        "SELECT group_concat(user || since || coalesce(length, '-') || coalesce(message, '-')) "
        "FROM blocks",
        "SELECT group_concat(id || user || session || reason || at || coalesce(message, '-')) "
        "FROM gone",
        "SELECT group_concat(hour || user || starts || hex(devices) || conflicts) FROM history",
        "SELECT group_concat(id || hour || user || starts || hex(devices) || conflicts) FROM "
        "history_parts"}) {
    all += db->string(sql).value() + "\n";
  }
  return all;
}

RecoverReport recovered(const std::string& path) {
  auto report = recover(path, path + ".new", kNobody);
  if (!report) FAIL(report.error().message);
  return std::move(*report);
}

std::uint64_t rows_of(const RecoverReport& report, const std::string& table) {
  const auto found = std::find_if(report.tables.begin(), report.tables.end(),
                                  [&](const RecoveredTable& each) { return each.name == table; });
  REQUIRE(found != report.tables.end());
  return found->rows;
}

// The database at a moment when much of it is in its write-ahead log alone.
void make_database_with_log(const std::string& path, const Now& now) {
  std::string bytes;
  std::string log;
  {
    Store store = open_store(path);
    // While somebody reads what is there now, all that follows stays in the log.
    auto reader = Sqlite::open(path);
    REQUIRE(reader->exec("BEGIN; SELECT count(*) FROM sessions").has_value());
    add_one_of_each(store, now);
    for (int id = 2; id < 400; ++id) add_sessions(store, id, id + 1, now);
    bytes = bytes_of(path);
    log = bytes_of(path + "-wal");
  }
  write_bytes(path, bytes);
  write_bytes(path + "-wal", log);
}

void damage(const std::string& path, std::size_t from, std::size_t size) {
  std::string bytes = bytes_of(path);
  REQUIRE(bytes.size() >= from + size);
  for (std::size_t i = from; i < from + size; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x5A);
  write_bytes(path, bytes);
}

}  // namespace

TEST_CASE("recover says how far it is") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const Now now = FakeClock().now();
  {
    Store store = open_store(path);
    for (int id = 2; id < 400; ++id) add_sessions(store, id, id + 1, now);
  }
  std::vector<std::string> parts;
  WorkState last;
  const auto report = recover(path, path + ".new", [&](const WorkState& work) {
    if (parts.empty() || parts.back() != work.what) {
      CHECK(last.done == last.total);
      parts.emplace_back(work.what);
    } else {
      CHECK(work.done > last.done);
    }
    last = work;
  });
  REQUIRE(report.has_value());
  CHECK(parts == std::vector<std::string>{"copying the database", "salvaging rows"});
  CHECK(last.done == report->pages);
  CHECK(last.total == report->pages);
}

TEST_CASE("recover from a sound database takes everything, and leaves it as it was") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const Now now = FakeClock().now();
  SUBCASE("that was closed") {
    Store store = open_store(path);
    add_one_of_each(store, now);
    add_sessions(store, 2, 1000, now);
  }
  SUBCASE("with a write-ahead log") { make_database_with_log(path, now); }
  const std::string bytes = bytes_of(path);
  const std::string log = bytes_of(path + "-wal");

  CHECK(recovered(path).lost_nothing());
  CHECK(bytes_of(path) == bytes);
  CHECK(bytes_of(path + "-wal") == log);
  CHECK(content_of(path + ".new") == content_of(path));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.file(".")), {}) <= 3);
  const auto mode = std::filesystem::status(path + ".new").permissions();
  CHECK(mode == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("recover takes rows from before columns were added") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  {
    Store store = open_store(path);
    add_one_of_each(store, FakeClock().now());
  }
  const std::string whole = content_of(path);
  REQUIRE(Sqlite::open(path)
              ->exec("ALTER TABLE history DROP COLUMN conflicts;"
                     "ALTER TABLE history_parts DROP COLUMN conflicts;"
                     "ALTER TABLE hold_offs DROP COLUMN mark;"
                     "ALTER TABLE hold_offs DROP COLUMN address;"
                     "ALTER TABLE sessions DROP COLUMN overlap_limit;"
                     "ALTER TABLE sessions DROP COLUMN overlap;"
                     "ALTER TABLE sessions DROP COLUMN fleet_start;"
                     "ALTER TABLE sessions DROP COLUMN start;"
                     "ALTER TABLE gone DROP COLUMN message;"
                     "PRAGMA user_version = 4")
              .has_value());
  CHECK(recovered(path).lost_nothing());
  CHECK(content_of(path + ".new") == whole);
}

TEST_CASE("recover from a damaged database") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const Now now = FakeClock().now();
  {
    Store store = open_store(path);
    add_one_of_each(store, now);
    add_sessions(store, 2, 1000, now);
  }
  const std::size_t pages = bytes_of(path).size() / kPage;
  REQUIRE(pages > 60);

  SUBCASE("a page costs what stands on it, whichever it is") {
    const std::string sound = bytes_of(path);
    for (std::size_t page = 0; page < pages; ++page) {
      CAPTURE(page);
      write_bytes(path, sound);
      damage(path, page * kPage, kPage);
      std::filesystem::remove(path + ".new");
      CHECK(rows_of(recovered(path), "sessions") >= 999 - 20);
    }
  }
  SUBCASE("its first page costs nothing, nor does the map of its pages") {
    const std::string whole = content_of(path);
    damage(path, 0, 2 * kPage);
    CHECK(recovered(path).lost_nothing());
    CHECK(content_of(path + ".new") == whole);
  }
  SUBCASE("rows that were removed do not come back, though a page still has them") {
    {
      Store store = open_store(path);
      std::vector<Change> changes;
      for (int id = 2; id < 1000; ++id) changes.push_back(Remove{id});
      REQUIRE(store.commit(changes, now.offset()).has_value());
    }
    CHECK(rows_of(recovered(path), "sessions") == 1);
  }
  SUBCASE("a file that was cut off has what is before the end, and says how much is missing") {
    write_bytes(path, bytes_of(path).substr(0, 40 * kPage + 100));
    const RecoverReport report = recovered(path);
    CHECK(report.missing_pages == pages - 40);
    CHECK(rows_of(report, "sessions") > 300);
    CHECK_FALSE(report.lost_nothing());
  }
  SUBCASE("a row with a value that cannot be is left out, the others of its page are not") {
    const std::string name = std::string(200, 's') + "500";
    std::string bytes = bytes_of(path);
    bytes[bytes.find(name) + 5] = '\n';
    write_bytes(path, bytes);
    const RecoverReport report = recovered(path);
    CHECK(rows_of(report, "sessions") == 998);
    CHECK(report.first_invalid.starts_with("sessions: "));
    CHECK_FALSE(report.lost_nothing());
  }
  SUBCASE("rows of a boot that was lost go by the wall clock, in any boot to come") {
    auto db = Sqlite::open(path);
    const auto root = db->number("SELECT rootpage FROM sqlite_schema WHERE name = 'boots'");
    db = Sqlite::open(folder.file("other"));  // closes it
    damage(path, static_cast<std::size_t>(*root - 1) * kPage, kPage);
    recovered(path);
    auto store = Store::open(path + ".new", Durability::kFull, "another boot");
    REQUIRE(store.has_value());
    Now later = now;
    later.wall_offset += 40s;
    const auto loaded = store->load(later, [&](StoredRow row) {
      const auto* session = std::get_if<Row>(&row);
      if (session != nullptr) CHECK(session->started == now.instant - 40s);
      return true;
    });
    CHECK(loaded->rows > 999);
  }
}

TEST_CASE("recover from a damaged write-ahead log") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const Now now = FakeClock().now();
  make_database_with_log(path, now);
  const std::string log = path + "-wal";

  SUBCASE("its header costs nothing") {
    damage(log, 0, 20);
    CHECK(rows_of(recovered(path), "sessions") == 399);
  }
  SUBCASE("what stands behind a damaged frame is good") {
    damage(log, 32 + 50 * (kPage + 24) + 1000, 8);
    const RecoverReport report = recovered(path);
    CHECK(report.damaged_frames == 1);
    CHECK(rows_of(report, "sessions") == 399);
  }
  SUBCASE("an unfinished transaction at its end is none") {
    const std::string bytes = bytes_of(log);
    write_bytes(log, bytes.substr(0, bytes.size() - kPage - 24));
    const RecoverReport report = recovered(path);
    CHECK(report.damaged_frames == 0);
    CHECK(rows_of(report, "sessions") == 398);
  }
  SUBCASE("where the database is empty the log has all") {
    write_bytes(path, "");
    CHECK(rows_of(recovered(path), "sessions") == 399);
  }
}

TEST_CASE("recover refuses") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const auto refused = [&] {
    const std::string before = bytes_of(path + ".new");
    const auto report = recover(path, path + ".new", kNobody);
    REQUIRE(report.has_error());
    CHECK(report.error().message.starts_with("cannot recover " + path + ": "));
    CHECK(bytes_of(path + ".new") == before);
    return report.error().kind;
  };
  SUBCASE("what is not there") { CHECK(refused() == ErrorKind::kAbsent); }
  SUBCASE("a folder") {
    std::filesystem::create_directory(path);
    CHECK(refused() == ErrorKind::kUnavailable);
  }
  SUBCASE("a file of which nothing can be read, and leaves no new one") {
    SUBCASE("for it is empty") { write_bytes(path, ""); }
    SUBCASE("for it is no database") { write_bytes(path, std::string(40'000, 'x')); }
    CHECK(refused() == ErrorKind::kCorrupt);
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
  }
  SUBCASE("to overwrite what is there") {
    open_store(path);
    write_bytes(path + ".new", "mine");
    CHECK(refused() == ErrorKind::kInvalid);
  }
  SUBCASE("where there is no room, and leaves nothing behind") {
    {
      Store store = open_store(path);
      add_sessions(store, 1, 500, FakeClock().now());
    }
    {
      const FullDisk full;
      CHECK(refused() == ErrorKind::kUnavailable);
    }
    CHECK(std::distance(std::filesystem::directory_iterator(folder.file(".")), {}) == 1);
  }
}

// A page does not say of which table its rows are: they are told apart by these.
TEST_CASE("recover: tables of one kind and number of columns differ in what stands in a column") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  open_store(path);
  auto db = Sqlite::open(path);
  const char* tables =
      "FROM pragma_table_list AS each WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'";
  const std::string sql =
      std::string(
          "SELECT count(*) - count(DISTINCT wr || ' ' || (SELECT group_concat(type) FROM "
          "pragma_table_info(each.name))) ") +
      tables;
  CHECK(db->number(sql).value() == 0);
  CHECK(db->number(std::string("SELECT count(*) ") + tables).value() >= 11);
}
