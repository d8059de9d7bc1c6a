#include "store/lock_holders.hpp"
#include "store/store.hpp"
#include "support/file_bytes.hpp"
#include "support/full_disk.hpp"
#include "support/moments.hpp"
#include "support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;
using concur::test::FakeClock;
using concur::test::FullDisk;
using concur::test::TempFolder;

namespace fs = std::filesystem;

namespace {

struct Fixture {
  explicit Fixture(const std::string& at)
      : path(at),
        files(*DatabaseFiles::claim(at)),
        store(std::move(*Store::open(at, Durability::kFull, "boot"))) {
    store.keep_in_place(files, Durability::kFull, "boot");
  }

  Result<void> start(std::int64_t id) {
    const Instant now = FakeClock().now().instant;
    std::vector<Change> changes;
    changes.emplace_back(
        Insert{{id, "abc", std::to_string(id), now, now, now + 90s, 90s, nullptr}});
    return store.commit(changes, Millis(0));
  }
  void remove_all() const {
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
  }
  // Without its log, too, it would be another database.
  std::int64_t rows() const {
    auto db = Sqlite::open_reading(path);
    return *db->number("SELECT count(*) FROM sessions");
  }

  std::string path;
  std::shared_ptr<DatabaseFiles> files;
  Store store;
};

}  // namespace

TEST_CASE("Store::keep_in_place") {
  const TempFolder folder;
  Fixture fixture(folder.file("sessions.db"));
  REQUIRE(fixture.start(1).has_value());
  CHECK(fixture.store.rewrites() == 0);

  SUBCASE("writes all to new files where they were removed, again and again") {
    for (std::int64_t id = 2; id < 5; ++id) {
      fixture.remove_all();
      REQUIRE(fixture.start(id).has_value());
      CHECK(fixture.rows() == id);
      CHECK(fixture.store.rewrites() == static_cast<std::uint64_t>(id) - 1);
      CHECK(fixture.files->in_place());
    }
    CHECK_FALSE(fs::exists(fixture.path + ".part"));
  }
  SUBCASE("also where nothing is to be committed") {
    fixture.remove_all();
    CHECK(fixture.store.commit({}, Millis(0)).has_value());
    CHECK(fixture.rows() == 1);
  }
  SUBCASE("refuses, and changes nothing, while another file is there") {
    fs::remove(fixture.path);
    test::write_bytes(fixture.path, "another");
    const auto refused = fixture.start(2);
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorKind::kUnavailable);
    CHECK(fixture.store.advice().find("as soon as it is moved away") != std::string::npos);
    CHECK(test::bytes_of(fixture.path) == "another");
    fs::remove(fixture.path);
    REQUIRE(fixture.start(3).has_value());
    CHECK(fixture.rows() == 2);
  }
  SUBCASE("goes on where they come back") {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      fs::create_hard_link(fixture.path + suffix, folder.file(std::string("kept") + suffix));
    }
    fs::remove(fixture.path);
    test::write_bytes(fixture.path, "another");
    CHECK(fixture.start(2).has_error());
    for (const char* suffix : {"", "-wal", "-shm"}) {
      fs::rename(folder.file(std::string("kept") + suffix), fixture.path + suffix);
    }
    CHECK(fixture.start(2).has_value());
    CHECK(fixture.store.rewrites() == 0);
    CHECK(fixture.rows() == 2);
  }
  SUBCASE("where what they hold cannot be read, says so, and takes all from elsewhere") {
    const auto write = [&](std::int64_t id, Store::Part part) {
      const Instant now = FakeClock().now().instant;
      std::vector<Change> changes;
      changes.emplace_back(
          Insert{{id, "abc", std::to_string(id), now, now, now + 90s, 90s, nullptr}});
      return fixture.store.write_anew(changes, Millis(0), part);
    };
    SUBCASE("emptied") { fs::resize_file(fixture.path, 0); }
    SUBCASE("emptied and removed") {
      fs::resize_file(fixture.path, 0);
      fixture.remove_all();
    }
    SUBCASE("its log emptied") { fs::resize_file(fixture.path + "-wal", 0); }
    SUBCASE("both") {
      for (const char* suffix : {"", "-wal"}) fs::resize_file(fixture.path + suffix, 0);
    }
    const auto refused = fixture.start(2);
    REQUIRE(refused.has_error());
    CHECK(refused.error().message.starts_with(
        "its files were taken away, and what they hold cannot be read any more: "));
    CHECK(fixture.store.unreadable());
    REQUIRE(write(1, {.first = true}).has_value());
    CHECK(fixture.store.rewrites() == 0);
    REQUIRE(write(3, {.last = true}).has_value());
    CHECK(fixture.store.rewrites() == 1);
    CHECK(fixture.files->in_place());
    REQUIRE(fixture.start(4).has_value());
    CHECK(fixture.rows() == 3);
    CHECK_FALSE(fs::exists(fixture.path + ".part"));
  }
  SUBCASE("what is still in its cache it need not read") {
    fs::resize_file(fixture.path + "-wal", 0);
    fixture.remove_all();
    REQUIRE(fixture.start(2).has_value());
    CHECK(fixture.rows() == 2);
  }
  SUBCASE("a log that was put in before it was emptied is none of that") {
    {
      auto other = Sqlite::open(fixture.path);
      REQUIRE(other->exec("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
    }
    REQUIRE(fs::file_size(fixture.path + "-wal") == 0);
    REQUIRE(fixture.start(2).has_value());
    CHECK(fixture.store.rewrites() == 0);
    CHECK(fixture.rows() == 2);
  }
  SUBCASE("a new database that cannot be put in place is taken away") {
    fs::resize_file(fixture.path, 0);
    REQUIRE(fixture.start(2).has_error());
    REQUIRE(fixture.store.write_anew({}, Millis(0), {.first = true}).has_value());
    fixture.remove_all();
    test::write_bytes(fixture.path, "another");
    CHECK(fixture.store.write_anew({}, Millis(0), {.last = true}).has_error());
    CHECK_FALSE(fixture.store.unreadable());
    CHECK_FALSE(fs::exists(fixture.path + ".part"));
    CHECK(test::bytes_of(fixture.path) == "another");
  }
  SUBCASE("tries again, later, where a new one cannot be written") {
    fixture.remove_all();
    {
      const FullDisk full;
      const auto refused = fixture.start(2);
      REQUIRE(refused.has_error());
      CHECK(refused.error().message.starts_with(
          "its files were taken away, and no new ones can be written: "));
      CHECK_FALSE(fs::exists(fixture.path));
    }
    Result<void> done = fixture.start(2);
    for (int i = 0; i < 500 && !done; ++i) {
      std::this_thread::sleep_for(10ms);
      done = fixture.start(2);
    }
    CHECK(done.has_value());
    CHECK(fixture.rows() == 2);
  }
}

TEST_CASE("lock_advice") {
  const TempFolder folder;
  const std::string path = folder.file("x.db");
  SUBCASE("names who has the database locked") {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t other = fork();
    if (other == 0) {
      auto db = Sqlite::open(path);
      const bool locked = db && db->exec("BEGIN EXCLUSIVE");
      if (write(ready[1], locked ? "y" : "n", 1) == 1) pause();
      _exit(0);
    }
    char is_locked = 0;
    REQUIRE(read(ready[0], &is_locked, 1) == 1);
    CHECK(is_locked == 'y');
    CHECK(lock_advice(path).ends_with("with pid " + std::to_string(other)));
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
  }
  SUBCASE("says how to find them, where that is not shown") {
    CHECK(lock_advice(path).find("fuser -v " + path) != std::string::npos);
  }
}
