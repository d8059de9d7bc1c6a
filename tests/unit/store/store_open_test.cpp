#include "store/store.hpp"

#include "store/schema.hpp"
#include "support/file_bytes.hpp"
#include "support/moments.hpp"
#include "support/stores.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::bytes_of;
using concur::test::FakeClock;
using concur::test::insert;
using concur::test::load;
using concur::test::one;
using concur::test::open_store;
using concur::test::run_sql;
using concur::test::TempFolder;
using concur::test::write_bytes;

TEST_CASE("Store::open refuses, and leaves untouched,") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const auto refused = [&] {
    const std::string before = bytes_of(path);
    const std::string log = bytes_of(path + "-wal");
    const auto store = Store::open(path, Durability::kFull, "boot");
    REQUIRE(store.has_error());
    const auto loaded = Store::open_and_load(path, Durability::kFull, "boot", FakeClock().now(),
                                             [](const StoredRow&) { return true; });
    REQUIRE(loaded.has_error());
    CHECK(loaded.error().kind == store.error().kind);
    CHECK(loaded.error().message == store.error().message);
    CHECK(bytes_of(path) == before);
    CHECK(bytes_of(path + "-wal") == log);
    return store.error();
  };
  SUBCASE("a file that is no database") {
    write_bytes(path, std::string(8192, 'x'));
    const Error error = refused();
    CHECK(error.kind == ErrorKind::kCorrupt);
    CHECK(error.message == "cannot open database " + path +
                               ": file is not a database"
                               " (concurrencyd --recover salvages what can be read)");
  }
  SUBCASE("another program's database") {
    run_sql(path, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES (1)");
    const Error error = refused();
    CHECK(error.kind == ErrorKind::kInvalid);
    CHECK(error.message.ends_with("it belongs to another program"));
  }
  SUBCASE("a database marked by another application") {
    run_sql(path, "PRAGMA application_id = 7");
    CHECK(refused().message.ends_with("it belongs to another program"));
  }
  SUBCASE("a newer one") {
    { open_store(path); }
    run_sql(path, "PRAGMA user_version = 99");
    CHECK(refused().message.find("a newer concurrencyd wrote it (schema 99, this one knows") !=
          std::string::npos);
  }
  SUBCASE("a damaged one") {
    {
      Store store = open_store(path);
      const FakeClock clock;
      std::vector<Change> changes;
      for (int i = 1; i < 500; ++i)
        changes.push_back(
            insert(i, std::string(200, 's') + std::to_string(i), clock.now().instant));
      REQUIRE(store.commit(changes, Millis(0)).has_value());
    }
    std::string bytes = bytes_of(path);
    REQUIRE(bytes.size() > 60'000);
    for (std::size_t i = 40'000; i < 44'096; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x5A);
    write_bytes(path, bytes);
    CHECK(refused().message.find("damaged") != std::string::npos);
  }
  SUBCASE("one whose schema is damaged, and is one") {
    { open_store(path); }
    std::string bytes = bytes_of(path);
    bytes[bytes.find("device TEXT") + 1] = 'x';
    write_bytes(path, bytes);
    const Error error = refused();
    CHECK(error.kind == ErrorKind::kCorrupt);
    CHECK(error.message.find("is not that of schema") != std::string::npos);
  }
  SUBCASE("one with a write-ahead log, that is") {
    std::string bytes;
    std::string log;
    {
      Store store = open_store(path);
      run_sql(path, "PRAGMA user_version = 99");
      bytes = bytes_of(path);
      log = bytes_of(path + "-wal");
    }
    ErrorKind kind = ErrorKind::kInvalid;
    SUBCASE("newer") {}
    SUBCASE("empty but for the log") {
      bytes.clear();
      kind = ErrorKind::kCorrupt;
    }
    write_bytes(path, bytes);
    write_bytes(path + "-wal", log);
    CHECK(refused().kind == kind);
    CHECK(bytes_of(path + "-wal") == log);
  }
  SUBCASE("a folder") {
    CHECK(Store::open(folder.file("."), Durability::kFull, "boot").has_error());
  }
  SUBCASE("a path that leads nowhere") {
    CHECK(Store::open(folder.file("no/such/folder.db"), Durability::kFull, "boot").has_error());
  }
}

TEST_CASE("Store::open_and_load") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const FakeClock clock;
  const Now now = clock.now();
  std::vector<std::string> taken;
  const auto take = [&](StoredRow row) {
    taken.push_back(std::get<Row>(row).session);
    return true;
  };
  const auto fill = [&](int sessions) {
    std::vector<Change> changes;
    for (int i = 1; i <= sessions; ++i)
      changes.push_back(insert(i, std::to_string(i), now.instant));
    REQUIRE(open_store(path).commit(changes, now.offset()).has_value());
  };
  const auto number_in = [&](const std::string& sql) {
    return Sqlite::open(path)->number(sql).value();
  };

  SUBCASE("makes a database that is not there") {
    auto loaded = Store::open_and_load(path, Durability::kFull, "boot-1", now, take);
    REQUIRE(loaded.has_value());
    CHECK(loaded->report.rows == 0);
    CHECK(loaded->store.commit(one(insert(1, "s1", now.instant)), now.offset()).has_value());
  }
  SUBCASE("gives what load() gives, and announces each row before it is taken") {
    fill(200);
    std::vector<std::string> expected;
    const auto expect = [&](std::span<const StoredRow> rows) {
      CHECK(taken.size() == expected.size());
      for (const StoredRow& row : rows) expected.push_back(std::get<Row>(row).session);
    };
    auto loaded = Store::open_and_load(path, Durability::kFull, "boot-2", now, take, expect);
    REQUIRE(loaded.has_value());
    CHECK(loaded->report.rows == 200);
    CHECK(loaded->report.last_id == 200);
    CHECK(taken.size() == 200);
    CHECK(taken == expected);
    CHECK(number_in("SELECT count(*) FROM boots") == 2);
    CHECK(loaded->store.commit(one(Remove{1}), now.offset()).has_value());
  }
  SUBCASE("takes times as exact where they are of the same boot") {
    fill(1);
    Now later = now;
    later.wall_offset += 40s;
    Instant expires;
    const auto look = [&](const StoredRow& row) {
      expires = std::get<Row>(row).expires;
      return true;
    };
    REQUIRE(Store::open_and_load(path, Durability::kFull, "boot-1", later, look).has_value());
    CHECK(expires == now.instant + 90s);
    REQUIRE(Store::open_and_load(path, Durability::kFull, "boot-2", later, look).has_value());
    CHECK(expires == now.instant + 50s);
  }
  SUBCASE("brings an older database to the newest schema first") {
    fill(1);
    run_sql(path,
            "DROP TABLE plans; DROP TABLE limits; DROP TABLE hold_offs; DROP TABLE history;"
            "DROP TABLE history_parts; DROP TABLE gone; DROP TABLE box; DROP TABLE rule_numbers; "
            "DROP TABLE rule_denials; DROP TABLE blocks; ALTER TABLE sessions DROP "
            "COLUMN overlap; ALTER TABLE sessions DROP COLUMN overlap_limit; "
            "ALTER TABLE sessions DROP COLUMN fleet_start; ALTER TABLE sessions DROP COLUMN start;"
            "PRAGMA user_version = 1");
    CHECK(Store::open_and_load(path, Durability::kFull, "boot-1", now, take).has_value());
    CHECK(taken.size() == 1);
    CHECK(number_in("PRAGMA user_version") == newest_schema());
  }
  SUBCASE("reports how far it is, and that it is over") {
    fill(5000);
    std::vector<std::string> parts;
    std::uint64_t rows = 0;
    const ReportWork report = [&](const WorkState& work) {
      if (parts.empty() || parts.back() != work.what) parts.emplace_back(work.what);
      if (work.what == "loading the sessions") {
        CHECK(work.done >= rows);
        rows = work.done;
      }
    };
    auto loaded = Store::open_and_load(path, Durability::kFull, "boot-1", now, take, {}, &report);
    REQUIRE(loaded.has_value());
    CHECK(std::ranges::count(parts, "loading the sessions") == 1);
    CHECK(rows > 0);
    CHECK(parts.back().empty());
  }
  SUBCASE("is not led round and round by a damaged page") {
    fill(1);
    const auto root = static_cast<std::size_t>(
        number_in("SELECT rootpage FROM sqlite_schema WHERE name = 'sessions'"));
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kCells = 300;
    constexpr std::size_t kLevels = 15;
    const auto put = [](std::string& page, std::size_t at, std::size_t bytes, std::size_t value) {
      for (; bytes > 0; value >>= 8U) page[at + --bytes] = static_cast<char>(value & 0xFFU);
    };
    // A page of a tree above its leaves, all of whose children are one and the same.
    const auto above = [&](std::size_t child) {
      constexpr std::size_t kContent = kPage - 5 * kCells;
      std::string page(kPage, '\0');
      put(page, 0, 1, 5);
      put(page, 3, 2, kCells);
      put(page, 5, 2, kContent);
      put(page, 8, 4, child);
      for (std::size_t i = 0; i < kCells; ++i) {
        put(page, 12 + 2 * i, 2, kContent + 5 * i);
        put(page, kContent + 5 * i, 4, child);
        put(page, kContent + 5 * i + 4, 1, 1);
      }
      return page;
    };
    std::string bytes = bytes_of(path);
    const std::string leaf = bytes.substr((root - 1) * kPage, kPage);
    const std::size_t first = bytes.size() / kPage + 1;
    bytes.replace((root - 1) * kPage, kPage, above(first));
    for (std::size_t i = 1; i < kLevels; ++i) bytes += above(first + i);
    bytes += leaf;
    put(bytes, 28, 4, bytes.size() / kPage);
    write_bytes(path, bytes);
    std::uint64_t rows = 0;
    const auto count = [&](const StoredRow&) { return ++rows > 0; };
    const auto loaded = Store::open_and_load(path, Durability::kFull, "boot-1", now, count);
    REQUIRE(loaded.has_error());
    CHECK(loaded.error().kind == ErrorKind::kCorrupt);
    CHECK(loaded.error().message.find("it is damaged: ") != std::string::npos);
    CHECK(bytes_of(path) == bytes);
  }
}

TEST_CASE("Store::open brings an older database to the newest schema") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const FakeClock clock;
  {
    Store store = open_store(path);
    const auto kept = store.commit(one(insert(1, "s1", clock.now().instant)), Millis(0));
    REQUIRE(kept.has_value());
  }
  run_sql(path,
          "DROP TABLE plans; DROP TABLE limits; DROP TABLE hold_offs; DROP TABLE history; "
          "DROP TABLE history_parts; DROP TABLE gone; DROP TABLE box; DROP TABLE rule_numbers; "
          "DROP TABLE rule_denials; DROP TABLE blocks; ALTER TABLE sessions DROP "
          "COLUMN overlap; ALTER TABLE sessions DROP COLUMN overlap_limit; "
          "ALTER TABLE sessions DROP COLUMN fleet_start; ALTER TABLE sessions DROP COLUMN start; "
          "PRAGMA user_version = 1");
  Store store = open_store(path);
  const auto rows = load(store, clock.now());
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].id == 1);
  CHECK(rows[0].start == 0);
  CHECK(store.commit(one(PutPlan{{"gold", 5, {}}}), Millis(0)).has_value());
}
