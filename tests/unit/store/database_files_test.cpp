#include "store/database_files.hpp"

#include "store/sqlite.hpp"
#include "support/file_bytes.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace concur;
using concur::test::bytes_of;
using concur::test::TempFolder;
using concur::test::write_bytes;

namespace fs = std::filesystem;

TEST_CASE("DatabaseFiles are claimed") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  auto files = DatabaseFiles::claim(path);
  REQUIRE(files.has_value());
  const auto is_taken = [](const std::string& name) {
    const auto second = DatabaseFiles::claim(name);
    return !second && second.error().kind == ErrorKind::kUnavailable;
  };

  SUBCASE("by one at a time, by whatever name") {
    const std::string link = folder.file("link.db");
    fs::create_hard_link(path, link);
    fs::create_symlink(path, folder.file("symlink.db"));
    CHECK(is_taken(path));
    CHECK(is_taken(link));
    CHECK(is_taken(folder.file("symlink.db")));
    fs::rename(path, folder.file("renamed.db"));
    CHECK(is_taken(folder.file("renamed.db")));
    files->reset();
    CHECK_FALSE(is_taken(link));
  }
  SUBCASE("also while SQLite opens and closes them, and others read them") {
    for (int i = 0; i < 2; ++i) {
      auto db = Sqlite::open(path);
      REQUIRE(db.has_value());
      REQUIRE(db->exec("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS t(a); COMMIT").has_value());
      CHECK(is_taken(path));
    }
    bytes_of(path);
    CHECK(is_taken(path));
  }
}

TEST_CASE("DatabaseFiles know what is at their paths") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  write_bytes(path, "data");
  write_bytes(path + "-wal", "log");
  const auto files = *DatabaseFiles::claim(path);
  CHECK(files->in_place());
  files->remember();
  CHECK(files->in_place());
  CHECK(files->in_folder());
  const std::ifstream open_log(path +
                               "-wal");  // as SQLite has it, so that its number is not reused
  CHECK(files->obstacle().empty());

  SUBCASE("one that is written to is still the same") {
    write_bytes(path + "-wal", "longer log");
    CHECK(files->in_place());
  }
  SUBCASE("one that was removed or renamed is not there, and nothing is in the way") {
    for (const char* suffix : {"", "-wal"}) {
      fs::rename(path + suffix, folder.file("away"));
      CHECK_FALSE(files->in_place());
      CHECK_FALSE(files->in_folder());
      CHECK(files->obstacle().empty());
      fs::rename(folder.file("away"), path + suffix);
      CHECK(files->in_place());
    }
  }
  SUBCASE("another one is in the way, and what is ours beside it goes") {
    fs::remove(path);
    write_bytes(path, "another");
    CHECK_FALSE(files->in_place());
    CHECK(files->obstacle() == "it was taken away, and another file has its place");
    CHECK(bytes_of(path) == "another");
    CHECK_FALSE(fs::exists(path + "-wal"));
  }
  SUBCASE("another log is left alone") {
    fs::remove(path + "-wal");
    write_bytes(path + "-wal", "another");
    CHECK(files->obstacle() == path + "-wal was taken away, and another file has its place");
    CHECK(bytes_of(path + "-wal") == "another");
    CHECK(bytes_of(path) == "data");
  }
}

TEST_CASE("DatabaseFiles are replaced") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  const std::string made = folder.file("made.db");
  write_bytes(path, "old");
  write_bytes(path + "-wal", "old log");
  chmod(path.c_str(), 0640);
  const auto files = *DatabaseFiles::claim(path);
  files->remember();
  write_bytes(made, "new");
  const auto mode_of = [](const std::string& file) { return fs::status(file).permissions(); };

  SUBCASE("by a whole one, which is locked and has the mode of the old one") {
    const auto mode = mode_of(path);
    fs::remove(path);
    REQUIRE(files->replace(made).has_value());
    files->settle();
    CHECK(bytes_of(path) == "new");
    CHECK(mode_of(path) == mode);
    CHECK_FALSE(fs::exists(path + "-wal"));
    CHECK_FALSE(fs::exists(path + ".next"));
    CHECK(files->in_place());
    CHECK(DatabaseFiles::claim(path).has_error());
  }
  SUBCASE("also where only the log was taken away") {
    fs::remove(path + "-wal");
    REQUIRE(files->replace(made).has_value());
    CHECK(bytes_of(path) == "new");
  }
  SUBCASE("but not where another one came") {
    fs::remove(path);
    write_bytes(path, "another");
    CHECK(files->replace(made).has_error());
    CHECK(bytes_of(path) == "another");
    CHECK_FALSE(fs::exists(path + ".next"));
  }
  SUBCASE("and taken away again, with what was made beside it") {
    fs::remove(path);
    REQUIRE(files->replace(made).has_value());
    write_bytes(path + "-wal", "new log");
    files->withdraw();
    CHECK_FALSE(fs::exists(path));
    CHECK_FALSE(fs::exists(path + "-wal"));
    CHECK_FALSE(files->in_place());
    CHECK(files->obstacle().empty());
  }
}

TEST_CASE("DatabaseFiles end what a killed daemon left half done") {
  const TempFolder folder;
  const std::string path = folder.file("sessions.db");
  write_bytes(path + ".next", "new");
  write_bytes(path + ".part", "begun");
  SUBCASE("the new one gets its name, without the old one's log") {
    write_bytes(path + "-wal", "old log");
    REQUIRE(DatabaseFiles::claim(path).has_value());
    CHECK(bytes_of(path) == "new");
    CHECK_FALSE(fs::exists(path + "-wal"));
  }
  SUBCASE("the one that is there stays") {
    write_bytes(path, "old");
    REQUIRE(DatabaseFiles::claim(path).has_value());
    CHECK(bytes_of(path) == "old");
  }
  CHECK_FALSE(fs::exists(path + ".next"));
  CHECK_FALSE(fs::exists(path + ".part"));
}
