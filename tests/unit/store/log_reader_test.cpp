#include "store/log_reader.hpp"

#include "store/sqlite.hpp"
#include "support/file_bytes.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace concur;
using concur::test::bytes_of;
using concur::test::TempFolder;
using concur::test::write_bytes;

namespace {

constexpr std::size_t kFrame = 24 + 4096;

std::int64_t rows_of(const std::string& path) {
  auto db = Sqlite::open(path);
  REQUIRE(db.has_value());
  return db->number("SELECT count(*) FROM t").value();
}

}  // namespace

TEST_CASE("put_log_in") {
  const TempFolder folder;
  const std::string path = folder.file("x.db");
  const std::string to = folder.file("copy.db");
  const std::string log = folder.file("log");
  {
    auto db = Sqlite::open(path);
    REQUIRE(
        db->exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); PRAGMA wal_checkpoint(TRUNCATE)")
            .has_value());
    write_bytes(to, bytes_of(path));
    // Each a transaction of one frame.
    for (int i = 0; i < 5; ++i) REQUIRE(db->exec("INSERT INTO t VALUES (1)").has_value());
    write_bytes(log, bytes_of(path + "-wal"));
  }
  REQUIRE(bytes_of(log).size() == 32 + 5 * kFrame);

  SUBCASE("puts in what was committed") {
    const auto done = put_log_in(log, to);
    CHECK(done->frames == 5);
    CHECK(done->damaged == 0);
    CHECK(rows_of(to) == 5);
  }
  SUBCASE("stops where the log does") {
    write_bytes(log, bytes_of(log).substr(0, 32 + 3 * kFrame + 100));
    CHECK(put_log_in(log, to)->frames == 3);
    CHECK(rows_of(to) == 3);
  }
  SUBCASE("goes on behind a damaged frame, and counts it") {
    std::string bytes = bytes_of(log);
    bytes[32 + 2 * kFrame + 24 + 100] ^= 1;
    write_bytes(log, bytes);
    const auto done = put_log_in(log, to);
    CHECK(done->frames == 4);
    CHECK(done->damaged == 1);
    CHECK(rows_of(to) == 5);
  }
  SUBCASE("does without the header") {
    std::string bytes = bytes_of(log);
    bytes.replace(0, 24, 24, 'x');
    write_bytes(log, bytes);
    CHECK(put_log_in(log, to)->frames == 5);
  }
  SUBCASE("leaves frames of an earlier time, which the log was not yet written over") {
    std::string bytes = bytes_of(log);
    bytes[32 + 3 * kFrame + 8] ^= 1;  // a salt
    bytes[32 + 4 * kFrame + 8] ^= 1;
    write_bytes(log, bytes);
    CHECK(put_log_in(log, to)->frames == 3);
  }
  SUBCASE("takes a log that is absent, empty or nonsense for none") {
    const std::string before = bytes_of(to);
    SUBCASE("") { std::filesystem::remove(log); }
    SUBCASE("") { write_bytes(log, ""); }
    SUBCASE("") { write_bytes(log, std::string(100'000, 'x')); }
    CHECK(put_log_in(log, to)->frames == 0);
    CHECK(bytes_of(to) == before);
  }
}
