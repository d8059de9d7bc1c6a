#include "store/page_reader.hpp"

#include "store/sqlite.hpp"
#include "support/file_bytes.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using concur::test::bytes_of;
using concur::test::TempFolder;
using concur::test::write_bytes;

namespace {

using Rows = std::vector<std::vector<Value>>;

void make(const std::string& path, const std::string& sql) {
  auto db = Sqlite::open(path);
  REQUIRE(db.has_value());
  const auto done = db->exec(sql);
  if (!done) FAIL(done.error().message);
}

struct Everything {
  Rows rows;  // of tables with ids
  Rows keyed;
  std::uint64_t unreadable_rows = 0;
  std::uint64_t unreadable_pages = 0;
};

Everything read_all(const std::string& path) {
  auto reader = PageReader::open(path);
  REQUIRE(reader.has_value());
  Everything all;
  for (std::uint32_t page = 0; page <= reader->pages() + 1; ++page) {
    PageContent content = reader->read(page);
    Rows& to = content.keyed ? all.keyed : all.rows;
    for (auto& row : content.rows) to.push_back(std::move(row));
    all.unreadable_rows += content.unreadable_rows;
    all.unreadable_pages += content.kind == PageContent::Kind::kUnreadable ? 1 : 0;
  }
  return all;
}

template <class T>
T as(const Value& value) {
  const T* held = std::get_if<T>(&value);
  REQUIRE(held != nullptr);
  return *held;
}

}  // namespace

TEST_CASE("PageReader reads") {
  const TempFolder folder;
  const std::string path = folder.file("x.db");

  SUBCASE("integers of every size") {
    constexpr std::int64_t kNumbers[] = {0,
                                         1,
                                         -1,
                                         2,
                                         127,
                                         -128,
                                         128,
                                         32767,
                                         -32768,
                                         32768,
                                         8388607,
                                         -8388608,
                                         8388608,
                                         1L << 31,
                                         1L << 46,
                                         -(1L << 47),
                                         1L << 47,
                                         std::numeric_limits<std::int64_t>::max(),
                                         std::numeric_limits<std::int64_t>::min()};
    auto db = Sqlite::open(path);
    REQUIRE(db->exec("CREATE TABLE t(id INTEGER PRIMARY KEY, x)").has_value());
    auto insert = db->prepare("INSERT INTO t(x) VALUES (?)");
    for (const std::int64_t number : kNumbers) {
      insert->bind(1, number);
      REQUIRE(insert->run().has_value());
    }
    const Rows rows = read_all(path).rows;
    REQUIRE(rows.size() == std::size(kNumbers));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      CHECK(as<std::int64_t>(rows[i][0]) == static_cast<std::int64_t>(i) + 1);
      CHECK(as<std::int64_t>(rows[i][1]) == kNumbers[i]);
    }
  }
  SUBCASE("texts, blobs and NULL, also where they go on over other pages") {
    make(path,
         "CREATE TABLE t(id INTEGER PRIMARY KEY, x, y, z);"
         "INSERT INTO t VALUES (7, '', x'00ff', NULL), "
         "(-9, printf('%.*c', 100000, 'a'), zeroblob(5000), 'end')");
    const Rows rows = read_all(path).rows;
    REQUIRE(rows.size() == 2);
    CHECK(as<std::int64_t>(rows[0][0]) == -9);
    CHECK(as<std::string>(rows[0][1]) == std::string(100'000, 'a'));
    CHECK(as<Blob>(rows[0][2]).bytes == std::string(5000, '\0'));
    CHECK(as<std::string>(rows[0][3]) == "end");
    CHECK(as<std::string>(rows[1][1]).empty());
    CHECK(as<Blob>(rows[1][2]).bytes == std::string("\0\xff", 2));
    as<std::monostate>(rows[1][3]);
  }
  SUBCASE("tables WITHOUT ROWID, those of their rows too that stand on inner pages") {
    make(path,
         "CREATE TABLE t(user TEXT PRIMARY KEY, x) WITHOUT ROWID;"
         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
         "INSERT INTO t SELECT printf('user%05d', i), printf('%.*c', i % 1500, 'x') FROM n");
    const Everything all = read_all(path);
    CHECK(all.rows.empty());
    CHECK(all.keyed.size() == 5000);
    CHECK(all.unreadable_rows == 0);
  }
  SUBCASE("pages of other sizes") {
    make(path,
         "PRAGMA page_size = 512; PRAGMA auto_vacuum = FULL;"
         "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
         "INSERT INTO t SELECT i, printf('%.*c', i % 700, 'x') FROM n");
    const Everything all = read_all(path);
    CHECK(all.rows.size() == 3000);
    CHECK(all.unreadable_rows + all.unreadable_pages == 0);
  }
}

TEST_CASE("PageReader, where it is damaged,") {
  const TempFolder folder;
  const std::string path = folder.file("x.db");
  make(path,
       "PRAGMA auto_vacuum = INCREMENTAL;"
       "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
       "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, printf('%.*c', 20000, 'x'))");
  std::string bytes = bytes_of(path);
  const std::size_t leaf = std::size_t{2} * 4096;  // behind the first page and the map
  REQUIRE(bytes[leaf] == 13);

  SUBCASE("leaves a row out whose pointer leads nowhere, and says so") {
    bytes[leaf + 8] = '\xff';
    write_bytes(path, bytes);
    const Everything all = read_all(path);
    CHECK(all.rows.size() == 2);
    CHECK(all.unreadable_rows == 1);
  }
  SUBCASE("says of a page that is none that it cannot be read, and of what continued it nothing") {
    bytes[leaf] = 'x';
    write_bytes(path, bytes);
    const Everything all = read_all(path);
    CHECK(all.rows.empty());
    CHECK(all.unreadable_pages == 1);
  }
  SUBCASE("leaves a row out whose continuation goes in a circle or past the end") {
    const std::size_t continuation = leaf + 4096;
    for (const char next : {'\4', '\x77'}) {
      bytes[continuation + 3] = next;
      write_bytes(path, bytes);
      CHECK(read_all(path).rows.size() >= 2);
    }
  }
  SUBCASE("takes free pages for free, and no map's word for it that has a bad entry") {
    make(path, "DELETE FROM t WHERE id = 3");
    bytes = bytes_of(path);
    std::string stale(4096, '\0');
    stale.replace(0, 4096, bytes, leaf, 4096);
    bytes.replace(leaf + 4096, 4096, stale);
    write_bytes(path, bytes);
    CHECK(read_all(path).rows.size() == 2);
    bytes[4096 + 5] = 'x';
    write_bytes(path, bytes);
    CHECK(read_all(path).rows.size() == 4);
  }
}
