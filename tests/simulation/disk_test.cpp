#include "disk.hpp"
#include "vfs.hpp"

#include "store/sqlite.hpp"
#include "store/store.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace concur;
using namespace concur::simulation;

namespace {

constexpr Millis kLease = std::chrono::seconds(90);

Bytes filled(std::size_t size, int with) { return Bytes(size, std::byte(with)); }

std::string text_of(Disk& disk, const Disk::Handle& file) {
  std::uint64_t size = 0;
  disk.size(file, size);
  Bytes all(size);
  std::size_t read = 0;
  disk.read(file, 0, all, read);
  std::string text;
  for (const std::byte each : all) text += static_cast<char>(each);
  return text;
}

void must(const Result<void>& done) { REQUIRE_MESSAGE(done.has_value(), done.error().message); }

}  // namespace

TEST_CASE("Disk") {
  Disk disk(1);
  Outcome outcome{};
  auto file = disk.open("f", true, outcome);
  REQUIRE(file);
  disk.write(file, 0, filled(4, 'a'));
  REQUIRE(disk.sync(file) == Outcome::kDone);
  disk.write(file, 2, filled(4, 'b'));

  SUBCASE("what was written is seen at once") { CHECK(text_of(disk, file) == "aabbbb"); }
  SUBCASE("a power cut takes what was not synced") {
    disk.restart(Survival::kNothing);
    CHECK(text_of(disk, disk.open("f", false, outcome)) == "aaaa");
  }
  SUBCASE("the death of a process takes nothing") {
    disk.stop();
    CHECK(disk.write(file, 0, filled(1, 'c')) == Outcome::kError);
    disk.restart();
    CHECK(text_of(disk, disk.open("f", false, outcome)) == "aabbbb");
  }
  SUBCASE("a file that was never synced may not be there") {
    disk.open("new", true, outcome);
    disk.restart(Survival::kNothing);
    CHECK_FALSE(disk.exists("new"));
  }
  SUBCASE("a removal that is not durable may not have been") {
    int there = 0;
    for (int i = 0; i < 50; ++i) {
      disk.remove("f", false);
      disk.restart(Survival::kPages);
      there += disk.exists("f") ? 1 : 0;
      if (!disk.exists("f")) disk.sync(disk.open("f", true, outcome));
    }
    CHECK(there > 0);
    CHECK(there < 50);
  }
  SUBCASE("an error comes when it was told to, and as often") {
    disk.break_with({1, 2, Outcome::kFull, bit_of(Operation::kWrite)});
    CHECK(disk.sync(file) == Outcome::kDone);
    CHECK(disk.write(file, 0, filled(1, 'c')) == Outcome::kDone);
    CHECK(disk.write(file, 0, filled(1, 'd')) == Outcome::kFull);
    CHECK(disk.write(file, 0, filled(1, 'd')) == Outcome::kFull);
    CHECK(disk.write(file, 0, filled(1, 'e')) == Outcome::kDone);
  }
  SUBCASE("a sync that fails may lose what it should have kept") {
    disk.break_with({0, 1, Outcome::kError, bit_of(Operation::kSync), false, true});
    CHECK(disk.sync(file) == Outcome::kError);
    CHECK(disk.sync(file) == Outcome::kDone);
    CHECK(text_of(disk, file) == "aabbbb");
    disk.restart(Survival::kNothing);
    CHECK(text_of(disk, file) == "aaaa");
  }
  SUBCASE("a write is torn between sectors, never inside one") {
    disk.write(file, 0, filled(2048, 'x'));
    disk.restart(Survival::kSectors);
    const std::string text = text_of(disk, file);
    for (std::size_t at = 0; at + 512 <= text.size(); at += 512) {
      const bool is_new = text[at + 100] == 'x';
      for (std::size_t i = 6; i < 512; ++i) CHECK((text[at + i] == 'x') == is_new);
    }
  }
  SUBCASE("a disk that lies keeps the order of what was written") {
    auto other = disk.open("g", true, outcome);
    disk.set_lying(true);
    disk.write(file, 0, filled(1, '1'));
    disk.write(other, 0, filled(1, '2'));
    CHECK(disk.sync(other) == Outcome::kDone);
    disk.restart(Survival::kInOrder);
    const bool second = text_of(disk, other) == "2";
    if (second) CHECK(text_of(disk, file)[0] == '1');
  }
}

TEST_CASE("SQLite on the disk") {
  const auto open = [] {
    auto db = Sqlite::open("test.db");
    must(
        db->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                 "CREATE TABLE IF NOT EXISTS t(n INTEGER)"));
    return std::move(*db);
  };

  SUBCASE("what was committed survives a power cut after any operation, and is whole") {
    for (std::uint64_t after = 0; after < 120; ++after) {
      Disk each(after);
      const Vfs own(each);
      std::int64_t committed = 0;
      {
        Sqlite db = open();
        each.cut_after(after);
        for (int n = 1; n <= 10; ++n) {
          if (!db.exec("INSERT INTO t VALUES (1), (1), (1)")) break;
          committed = n;
        }
      }
      Vfs::forget();
      each.restart(static_cast<Survival>(after % kSurvivals));
      Sqlite db = open();
      CHECK(db.string("PRAGMA integrity_check").value() == "ok");
      const std::int64_t rows = db.number("SELECT count(*) FROM t").value();
      CHECK(rows % 3 == 0);
      CHECK(rows / 3 >= committed);
      CHECK(rows / 3 <= committed + 1);
    }
  }
  SUBCASE("without syncs it does not") {
    int lost = 0;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      Disk each(seed);
      const Vfs own(each);
      {
        Sqlite db = open();
        must(db.exec("PRAGMA synchronous = OFF"));
        must(db.exec("INSERT INTO t VALUES (1)"));
        each.stop();
      }
      Vfs::forget();
      each.restart(Survival::kNothing);
      Sqlite db = open();
      lost += db.number("SELECT count(*) FROM t").value() == 0 ? 1 : 0;
    }
    CHECK(lost == 5);
  }
  SUBCASE("two connections see each other's commits and keep each other out") {
    Disk disk(7);
    const Vfs vfs(disk);
    Sqlite one = open();
    Sqlite two = open();
    must(one.exec("INSERT INTO t VALUES (1)"));
    CHECK(two.number("SELECT count(*) FROM t").value() == 1);
    must(one.exec("BEGIN IMMEDIATE"));
    CHECK_FALSE(two.exec("BEGIN IMMEDIATE").has_value());
  }
}

TEST_CASE("Store: what is found at the start stays, though its commit was never synced") {
  const auto open = [] { return Store::open("sessions.db", Durability::kFull, "boot").value(); };
  const auto rows = [](Store& store) {
    return store.load(Now(), [](const StoredRow&) { return true; }).value().rows;
  };
  std::vector<Change> start;
  start.emplace_back(
      Insert{{1, "abc", "xyz", Instant(), Instant(), Instant() + kLease, kLease, nullptr}});
  Disk disk(7);
  const Vfs vfs(disk);
  {
    Store store = open();
    disk.break_with({0, 1, Outcome::kError, bit_of(Operation::kSync)});
    REQUIRE_FALSE(store.commit(start, Millis(0)).has_value());
    disk.stop();
  }
  Vfs::forget();
  disk.restart();
  {
    Store store = open();
    REQUIRE(rows(store) == 1);
    disk.stop();
  }
  Vfs::forget();
  disk.restart(Survival::kNothing);
  Store store = open();
  CHECK(rows(store) == 1);
}

// Such as a journal of a statement in a folder for what is temporary, which has nothing to do with
// the database's own disk.
TEST_CASE("Store: a commit, however large, opens no further file") {
  constexpr std::int64_t kRows = 4000;
  Disk disk(7);
  const Vfs vfs(disk);
  {
    Store store = Store::open("sessions.db", Durability::kFull, "boot").value();
    // An operator's own index is written to in no order, so that pages are looked at again.
    must(Sqlite::open("sessions.db")->exec("CREATE INDEX mine ON sessions(session)"));
    std::vector<Change> changes;
    for (std::int64_t id = 1; id <= kRows; ++id) {
      auto details = std::make_unique<Details>();
      details->meta = "{\"about\":\"" + std::string(1000, 'x') + "\"}";
      changes.emplace_back(Insert{{id, "abc", std::to_string(id * 7919 % kRows), Instant(),
                                   Instant(), Instant() + kLease, kLease, std::move(details)}});
    }
    disk.break_with({0, UINT64_MAX, Outcome::kFull, bit_of(Operation::kOpen)});
    must(store.commit(changes, Millis(0)));
    CHECK_FALSE(disk.was_hit());
  }
}

TEST_CASE("Store: adding up what was recorded opens no further file") {
  constexpr std::int64_t kUsers = 4000;
  Disk disk(7);
  const Vfs vfs(disk);
  Store store = Store::open("sessions.db", Durability::kFull, "boot").value();
  const auto record = [&store](std::int64_t stride) {
    std::vector<Change> changes;
    for (std::int64_t i = 0; i < kUsers; ++i) {
      const std::string user = std::to_string(i * stride % kUsers) + std::string(200, 'u');
      changes.emplace_back(AddUsage{user, Usage{1, 1}});
    }
    must(store.commit(changes, Millis(0)));
  };
  record(1);
  while (store.fold_usage()) {
  }
  // Each on a page of its own.
  record(17);
  disk.break_with({0, UINT64_MAX, Outcome::kFull, bit_of(Operation::kOpen)});
  while (store.fold_usage()) {
  }
  CHECK_FALSE(disk.was_hit());
  disk.mend();
  CHECK(Sqlite::open("sessions.db")->number("SELECT sum(starts) FROM history").value() ==
        2 * kUsers);
}

TEST_CASE("Store: what follows a commit that no sync will ever keep is kept") {
  const auto open = [] { return Store::open("sessions.db", Durability::kFull, "boot"); };
  const auto insert = [](std::int64_t id) {
    std::vector<Change> start;
    start.emplace_back(Insert{{id, "abc", std::to_string(id), Instant(), Instant(),
                               Instant() + kLease, kLease, nullptr}});
    return start;
  };
  Fault forgets{0, 1, Outcome::kError, bit_of(Operation::kSync)};
  forgets.forgets = true;
  Disk disk(7);
  const Vfs vfs(disk);
  {
    auto store = open();
    disk.break_with(forgets);
    REQUIRE_FALSE(store->commit(insert(1), Millis(0)).has_value());
    disk.stop();
  }
  Vfs::forget();
  disk.restart();
  disk.break_with(forgets);
  {
    auto store = open();
    if (!store) store = open();
    REQUIRE(store->commit(insert(2), Millis(0)).has_value());
    disk.stop();
  }
  Vfs::forget();
  disk.restart(Survival::kNothing);
  auto store = open();
  CHECK(store->load(Now(), [](const StoredRow&) { return true; })->rows == 2);
}

TEST_CASE("Store::open on a disk that fails") {
  Disk disk(7);
  const Vfs vfs(disk);
  REQUIRE(Store::open("sessions.db", Durability::kFull, "boot").has_value());

  SUBCASE("what cannot be read is unavailable, never damaged") {
    int failed = 0;
    for (std::uint64_t after = 0; after < 60; ++after) {
      disk.break_with({after, 1, Outcome::kError, bit_of(Operation::kRead)});
      const auto store = Store::open("sessions.db", Durability::kFull, "boot");
      if (store) continue;
      // Not told apart yet: SQLite's check gives no cause for this one.
      if (store.error().message.find("ptrmap") != std::string::npos) continue;
      ++failed;
      CHECK_MESSAGE(store.error().kind == ErrorKind::kUnavailable, store.error().message);
    }
    CHECK(failed > 5);
  }
}
