#include "store/page_check.hpp"

#include "store/sqlite.hpp"
#include "support/file_bytes.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <string>

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
