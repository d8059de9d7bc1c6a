#include "store/page_check.hpp"

#include "store/schema.hpp"
#include "store/sqlite.hpp"
#include "support/file_bytes.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace concur;
using concur::test::bytes_of;
using concur::test::TempFolder;
using concur::test::write_bytes;

TEST_CASE("PageCheck") {
  const TempFolder folder;
  const std::string path = folder.file("some.db");
  const auto fill = [&path](const std::string& sql) {
    auto db = Sqlite::open(path);
    REQUIRE(db.has_value());
    REQUIRE(db->exec(sql).has_value());
  };
  const std::string rows =
      "CREATE TABLE t(x NOT NULL);"
      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
      "INSERT INTO t SELECT printf('%0100d', i) FROM n;";

  SUBCASE("finds nothing in a sound database, and writes nothing") {
    fill("PRAGMA journal_mode = WAL;" + rows);
    auto db = Sqlite::open_existing(path);
    REQUIRE(db->exec("INSERT INTO t VALUES (1)").has_value());
    const std::string before = bytes_of(path);
    const std::string log = bytes_of(path + "-wal");
    REQUIRE_FALSE(log.empty());
    PageCheck check(path);
    CHECK(check.wait(nullptr).has_value());
    CHECK_FALSE(check.has_failed());
    CHECK(bytes_of(path) == before);
    CHECK(bytes_of(path + "-wal") == log);
  }
  SUBCASE("reports damage, before it is asked too") {
    fill(rows);
    std::string bytes = bytes_of(path);
    for (std::size_t i = 40'960; i < 45'056; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x5A);
    write_bytes(path, bytes);
    PageCheck check(path);
    const auto verdict = check.wait(nullptr);
    REQUIRE(verdict.has_error());
    CHECK(verdict.error().kind == ErrorKind::kCorrupt);
    CHECK(check.has_failed());
    CHECK(bytes_of(path) == bytes);
  }
  SUBCASE("reports a file that cannot be read") {
    PageCheck check(folder.file("none.db"));
    const auto verdict = check.wait(nullptr);
    REQUIRE(verdict.has_error());
    CHECK(verdict.error().kind == ErrorKind::kUnavailable);
  }
  SUBCASE("need not be asked") {
    fill(rows);
    const PageCheck check(path);
  }
}

TEST_CASE("check_pages as work is as far as it is, and not through before it is") {
  const TempFolder folder;
  auto db = Sqlite::open(folder.file("some.db"));
  REQUIRE(db.has_value());
  REQUIRE(migrate(*db).has_value());
  REQUIRE(
      db->exec("PRAGMA cache_size = 10;"
               "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
               "INSERT INTO limits(user, max_sessions) SELECT printf('%0200d', i), i FROM n;")
          .has_value());
  const std::uint64_t before = db->pages_read();
  const std::uint64_t pages = db->pages();
  std::vector<double> shares;
  const std::function<bool()> look = [&] {
    const WorkState work = checking_pages(db->pages_read() - before, pages);
    shares.push_back(static_cast<double>(work.done) / static_cast<double>(work.total));
    return true;
  };
  db->on_progress(&look);
  CHECK(check_pages(*db).has_value());
  db->on_progress(nullptr);
  // Between two looks there is little.
  REQUIRE(shares.size() > 3);
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares[shares.size() / 2] < 0.9);
  CHECK(shares.back() < 1);
  CHECK(shares.back() > 0.9);
}
